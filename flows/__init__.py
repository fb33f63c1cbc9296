"""What runs when: one verb a file, one Prefect flow a file, no logic."""
