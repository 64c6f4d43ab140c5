-- KEYS: record. ARGV: the time.
local record = head(KEYS[1])
if not record or record.expires_at > tonumber(ARGV[1]) then
  return 'kept'
end
redis.call('UNLINK', KEYS[1])
return 'gone'
