"""The process that moves responses forward."""
