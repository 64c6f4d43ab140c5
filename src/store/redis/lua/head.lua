-- Prepended to each script that looks into records. The layout of their head: see encoding.rs.

-- The head of a record; without one, or with a damaged one, nil and the reply.
local function head(key)
  local text = redis.call('GETRANGE', key, '0', '64')
  local expires_at, version, kind, indexed_until, length =
    string.match(text, '^(%d+) (%d+) ([aut]) (%d+) (%d+) $')
  if expires_at and #expires_at == 15 and #version == 20 and #indexed_until == 15 then
    return { expires_at = expires_at, version = version, kind = kind,
      indexed_until = indexed_until, length = length }
  end
  if text == '' and redis.call('EXISTS', key) == 0 then
    return nil, 'gone'
  end
  return nil, 'damaged'
end
