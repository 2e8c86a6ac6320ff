"""The pure decision: plan(desired, observed, memory, now) -> Step. No I/O, no clock, no logging.

Glossary. A *slot* is a replica's place, numbered from 1. Its *current* container carries the service's desired hash;
its *others* carry another one, or died. A slot is *ready* when its current container passed the gate. An *order* is
start-first (the new one up, then the old one stops) or stop-first. A *cause* is the differences behind an operation.
"""
