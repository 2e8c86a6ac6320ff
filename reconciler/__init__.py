"""Declarative, GitOps-style reconciler for containers."""
