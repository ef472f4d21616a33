"""Export files: rows as plain values, and their text with every quirk that real exports have."""
