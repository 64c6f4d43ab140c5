-- KEYS: old record, new record, the user's index where there is a user. ARGV: new record, its TTL, the TTL of its index
-- entry, the tombstone, its TTL, the version expected of the old record.
local old, new = KEYS[1], KEYS[2]
if redis.call('EXISTS', new) == 1 then
  return 'conflict'
end
local stored, reply = head(old)
if not stored then
  return reply
end
if stored.version ~= ARGV[6] then
  return 'conflict'
end
if KEYS[3] then
  index_add(KEYS[3], handle(new), ARGV[3])
  redis.call('ZREM', KEYS[3], handle(old))
end
redis.call('SET', new, ARGV[1], 'PX', ARGV[2])
redis.call('SET', old, ARGV[4], 'PX', ARGV[5])
redis.pcall('PUBLISH', old, 'moved')
return 'stored'
