"""What the API says: types, inputs, scalars, errors, permissions, paging, loaders."""
