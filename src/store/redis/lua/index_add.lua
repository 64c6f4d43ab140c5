-- KEYS: index. ARGV: member, its TTL, the member that it replaces or nothing.
index_add(KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] then
  redis.call('ZREM', KEYS[1], ARGV[3])
end
return 'stored'
