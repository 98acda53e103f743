"""From hits to a footnoted answer."""
