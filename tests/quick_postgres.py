"""How a PostgreSQL of the tests is run: nothing it holds has to outlive the machine."""

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
