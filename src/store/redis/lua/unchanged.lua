-- KEYS: record, its user's index where there is one on this node. ARGV: record from its token on, what a record of the
-- version expected has from there to its user if that and its place in an index are the same, the time left, where
-- that user ends, whether the session was put into an index on another node.

-- All that most writes need, and first: what comes below costs more than this.
local old = redis.call('GETRANGE', KEYS[1], '0', ARGV[4])
if string.find(old, ARGV[2], 146, true) then
  redis.call('SET', KEYS[1], string.sub(old, 17, 128) .. ARGV[1], 'PX', ARGV[3])
  return 'stored'
end
