-- KEYS: record. ARGV: now.
local stored = head(KEYS[1])
if not stored or stored.expires_at > ARGV[1] then
  return 'kept'
end
redis.call('UNLINK', KEYS[1])
return 'gone'
