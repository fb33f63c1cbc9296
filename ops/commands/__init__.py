"""The commands, a few lines each; a module imports what only its commands need."""
