"""What runs containers: the protocol, the real Docker Engine, the simulated one."""
