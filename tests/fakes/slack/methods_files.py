"""files.*: an upload in three steps: the address, the bytes, the end with its share in a channel."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.slack.method import Args, Method, method
from tests.fakes.slack.methods_chat import checked_content, parent_of
from tests.fakes.slack.wire import file_json
from tests.fakes.slack.world import Channel, File, Refused, World

FILE_BYTES = 1_000_000_000


def get_upload_url(world: World, args: Args) -> Json:
    length = args.number("length", 0)
    if length < 1:
        raise args.wrong("invalid_arguments", f"length={args.text('length')}: a file has at least one byte")
    if length > FILE_BYTES:
        raise args.wrong("file_upload_size_restricted", f"{length} bytes")
    file = File(id=world.new_id("F"), name=args.text("filename"), length=length)
    world.files[file.id] = file
    return {"upload_url": f"{world.address}/upload/{file.id}", "file_id": file.id}


def take_bytes(world: World, file_id: str, content: bytes) -> str:
    """Take what was sent to an upload address; returns the answer's text.

    Raises:
        Refused: there is no such upload, it is over, or its length is another than was told.
    """
    file = world.files.get(file_id)
    if file is None or file.completed:
        world.violate("upload_not_found", "upload", f"{file_id} takes no bytes")
        raise Refused("file_not_found")
    if len(content) != file.length:
        world.violate("upload_length", "upload", f"{len(content)} bytes were sent, {file.length} were told")
        raise Refused("invalid_length")
    file.content = content
    return f"OK - {len(content)}"


def complete(world: World, args: Args) -> Json:
    wanted = args.structure("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted:
        raise args.wrong("invalid_arguments", "files is no list of {id, title}")
    files = [_uploaded(world, args, dict(one)) for one in wanted]
    channels = [_target(args, one) for one in _channel_ids(args)]
    for file, one in zip(files, wanted, strict=True):
        file.title = str(dict(one).get("title") or file.name)
        file.completed = True
    for channel in channels:
        _share(world, args, channel, files)
    return {"files": [file_json(world, one) for one in files]}


def _channel_ids(args: Args) -> list[str]:
    if args.text("channel_id"):
        return [args.text("channel_id")]
    return args.words("channels")


def _target(args: Args, channel_id: str) -> Channel:
    inner = Args(method=args.method, given={"channel": channel_id}, world=args.world)
    channel = inner.channel()
    if not inner.is_member(channel):
        raise Refused("not_in_channel")
    if channel.archived:
        raise Refused("is_archived")
    return channel


def _uploaded(world: World, args: Args, given: Json) -> File:
    file = world.files.get(str(given.get("id")))
    if file is None or file.completed:
        raise args.wrong("file_not_found", f"{given.get('id')} is no upload that is under way")
    if file.content is None:
        raise args.wrong("file_not_found", f"{file.id}: its bytes were never sent")
    return file


def _share(world: World, args: Args, channel: Channel, files: list[File]) -> None:
    """The share is a message of its own; it carries no metadata, so it is found again by its file."""
    text, blocks = args.text("initial_comment"), []
    if text or args.given.get("blocks"):
        content = checked_content(world, args.method, {"text": text, "blocks": args.given.get("blocks")})
        text, blocks = content.text, content.blocks or []
    world.post(
        channel,
        world.bot.id,
        text,
        blocks=blocks,
        files=[one.id for one in files],
        thread_ts=parent_of(args, channel),
        by_bot=True,
    )
    for one in files:
        one.shared_in.append(channel.id)


def file_info(world: World, args: Args) -> Json:
    file = world.files.get(args.text("file"))
    if file is None or not file.completed:
        raise Refused("file_not_found")
    return {"file": file_json(world, file)}


def list_files(world: World, args: Args) -> Json:
    channel = args.text("channel")
    found = [
        file_json(world, one)
        for one in world.files.values()
        if one.completed and (not channel or channel in one.shared_in)
    ]
    return {"files": found, "paging": {"count": 100, "total": len(found), "page": 1, "pages": 1}}


METHODS: dict[str, Method] = {
    "files.getUploadURLExternal": method(
        get_upload_url, "filename length", "alt_txt alt_text snippet_type", scopes=["files:write"], tier=100
    ),
    "files.completeUploadExternal": method(
        complete,
        "files",
        "channel_id channels initial_comment thread_ts blocks",
        scopes=["files:write"],
        tier=100,
    ),
    "files.info": method(file_info, "file", "cursor limit page count", scopes=["files:read"], tier=100),
    "files.list": method(
        list_files, "", "channel count page ts_from ts_to types user", scopes=["files:read"]
    ),
}
