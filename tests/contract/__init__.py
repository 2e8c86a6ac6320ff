"""One suite for both engines: each test states one rule of the Engine API that the program relies on."""
