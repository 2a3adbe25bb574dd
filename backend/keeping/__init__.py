"""What an installation keeps, saved to one file, brought back from it, cleaned up, and looked at for damage."""
