"""How a master and its workers share one ledger over a network that loses messages.

Pure: time and sending come in as arguments, so that no socket is needed to prove it.

- The master grants *leases*: a worker may submit a ticket as long as the master has heard of it
  lately. Each side counts from what it knows: the worker from when it *sent* what the master
  answered, the master from when it *received* it. So the worker's right always ends first, whatever
  their clocks say.
- A worker says what happened as *news*, in numbered batches that are sent again until they are
  acknowledged, and that the master takes in once and in order.
- All of it travels in two kinds of messages: a worker's *report* (I am here, I could use so many
  tickets, this is new) and the master's *reply* (I heard you, I have this, these are for you).
  Reports are repeated, so that no single message matters.
"""
