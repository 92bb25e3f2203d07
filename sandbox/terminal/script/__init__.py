"""The scripted behaviour of customer and terminal."""
