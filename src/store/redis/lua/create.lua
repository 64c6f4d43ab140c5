-- KEYS: record, the user's index where it is on this node. ARGV: record, its TTL, the TTL of its index entry.
if not KEYS[2] then
  return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 'stored' or 'exists'
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'exists'
end
index_add(KEYS[2], handle(KEYS[1]), ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'stored'
