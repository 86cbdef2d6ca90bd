"""The one migration line of the desk."""
