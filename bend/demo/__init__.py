"""`bend demo`: the whole pipeline at once, its exhibits, and the page that shows them."""
