-- Comes before each script that looks into records. What is where in them: see value.rs.

-- The words of a head, or of what is written, which begins with its own token.
local function words(text)
  local tokens, expires_at, version, kind, listed_until, length =
    string.match(text, '^(%x+) (%d+) (%d+) ([aut]) (%d+) (%d+) ')
  if tokens and #expires_at == 15 and #version == 20 and #listed_until == 15 and #length == 9 then
    return { tokens = tokens, expires_at = tonumber(expires_at), version = version, kind = kind,
      listed_until = tonumber(listed_until), length = tonumber(length) }
  end
end

-- A record without its user and its data. If there is none, or one that is damaged, nothing and the answer.
local function head(key)
  local text = redis.call('GETRANGE', key, '0', '193')
  local record = words(text)
  if record and #record.tokens == 128 then
    return record
  end
  if text == '' and redis.call('EXISTS', key) == 0 then
    return nil, 'gone'
  end
  return nil, 'damaged'
end

-- Whether this very call wrote the record before, and its answer was lost. The last eight writes are remembered.
local function is_mine(tokens, token)
  return string.find(tokens, token, 1, true)
end

-- The same of a record that is written as the first under its name.
local function was_created(key, record)
  return is_mine(redis.call('GETRANGE', key, '0', '127'), string.sub(record, 113, 128))
end
