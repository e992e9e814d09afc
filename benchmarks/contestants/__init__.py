"""What is compared: each in its own module, imported only by its own process."""
