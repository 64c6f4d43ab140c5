-- KEYS: record. ARGV: expires_at, the TTL until then.
local stored, reply = head(KEYS[1])
if not stored then
  return reply
end
if stored.kind == 't' then
  return 'moved'
end
if stored.expires_at < ARGV[1] then
  redis.call('SETRANGE', KEYS[1], '0', ARGV[1])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return 'stored'
