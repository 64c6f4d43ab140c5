-- KEYS: record, the user's index where it is on this node. ARGV: record, its TTL, the TTL of its index entry, the
-- version expected, the offset of the user's last byte, whether the session is in an index on another node already.

-- The path of most writes, and the cheapest: only the data changes, so the stored head differs in its version alone.
local old = redis.call('GETRANGE', KEYS[1], '16', ARGV[5])
if old == ARGV[4] .. string.sub(ARGV[1], 37, ARGV[5] + 1) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  -- By `pcall`, here and elsewhere: a user without the right to publish writes all the same. The version that was
  -- replaced is at hand, and costs no new string.
  redis.pcall('PUBLISH', KEYS[1], ARGV[4])
  return 'stored'
end
