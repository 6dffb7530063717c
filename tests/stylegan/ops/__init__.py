"""The tensor operations, against the official ones' numbers, slow references and finite differences."""
