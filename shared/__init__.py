"""The vocabulary that the API and the workers speak, and the storage they share."""
