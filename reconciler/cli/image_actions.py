"""What `reconcile images` and the commands below it do. Imported only when one runs."""
