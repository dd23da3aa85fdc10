"""Published results about resilience policies, run again in virtual time with this library's own policies."""
