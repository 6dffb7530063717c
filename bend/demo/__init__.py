"""`bend demo`: the whole way at once, its exhibits, and the page that shows them."""
