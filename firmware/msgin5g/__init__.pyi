"""MSGin5G (3GPP TS 23.554, TS 24.538) for boards and hosts.

Nothing is loaded until it is asked for: a board pays for what it uses.

    import asyncio
    from msgin5g import provisioning

    async def main():
        ue = provisioning.client("device.json")
        await ue.register()
        sent = await ue.send("23.5 C", application_server="meters@example.org")
        print(await sent.delivered())

    asyncio.run(main())
"""

from .client import Client as Client

def forget(name: str) -> None:
    """Unload a module that is used once: it is loaded again when it is needed again."""
