"""Reports of a run: results JSON, JUnit XML, terminal, HTML report, web pages."""
