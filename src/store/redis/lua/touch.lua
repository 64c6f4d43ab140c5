-- KEYS: record. ARGV: expires_at, the time left until then.
local expires_at = redis.call('HGET', KEYS[1], 'expires_at')
if not expires_at then
  return 'gone'
end
if tonumber(expires_at) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'expires_at', ARGV[1])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return 'stored'
