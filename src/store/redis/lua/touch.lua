-- KEYS: record. ARGV: expires_at, the time left until then.
local record, answer = head(KEYS[1])
if not record then
  return answer
end
if record.expires_at < tonumber(ARGV[1]) then
  redis.call('SETRANGE', KEYS[1], '129', ARGV[1])
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
end
return 'stored'
