"""Tools of the book's own: notebooks, generated pages, and the fork's address."""
