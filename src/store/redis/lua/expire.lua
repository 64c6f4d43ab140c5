-- KEYS: record. ARGV: the time.
local expires_at = redis.call('HGET', KEYS[1], 'expires_at')
if not expires_at or tonumber(expires_at) > tonumber(ARGV[1]) then
  return 'kept'
end
redis.call('UNLINK', KEYS[1])
return 'gone'
