-- KEYS: index. ARGV: handle, TTL of the entry.
index_add(KEYS[1], ARGV[1], ARGV[2])
return 'stored'
