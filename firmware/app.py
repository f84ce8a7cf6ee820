# Your application: this one says hello every minute. `msgin5g deploy` puts it onto the board.

import asyncio


async def main(ue, board):
    count = 0
    while True:
        count += 1
        sent = await ue.send("hello %d" % count, application_server="as-1@lab")
        board.log.tell("sent", sent.message_id)
        await asyncio.sleep(60)
