# SPDX-License-Identifier: Apache-2.0
"""Start the perception node, and if asked for a camera and RViz.

With no robot:   ros2 launch f4x_ros perception.launch.py camera:=demo rviz:=true
On a robot:      ros2 launch f4x_ros perception.launch.py image_topic:=/camera/color/image_raw \
                     camera_info_topic:=/camera/color/camera_info \
                     depth_topic:=/camera/aligned_depth_to_color/image_raw prompts:="red mug, sofa"
"""

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

try:
    from f4x_ros.cli.prompts import DEMO, EXAMPLES, NAMES_ITSELF, speaker
except ImportError:  # `ros2` runs in another environment than the nodes; they say what they lack
    DEMO, EXAMPLES, NAMES_ITSELF, speaker = {}, {}, (), str

# With a namespace, each robot has its transforms on topics of its own, as in nav2.
TF_REMAPPINGS = [("/tf", "tf"), ("/tf_static", "tf_static")]

# perception.rviz names the node's topics absolutely; under a namespace they are relative to it.
RVIZ_TOPICS = ["overlay", "moving", "cloud", "map_cloud", "markers", "odometry"]

# Arguments that are parameters of the node where they are given; else params_file has its say.
PARAMETERS = {
    "cameras": "cameras",
    "prompts": "prompts",
    "prompts_file": "prompts_file",
    "extractor": "features.extractor",
    "pose_source": "pose_source",
    "map_frame": "map_frame",
    "base_frame": "odometry.base_frame",
    "publish_tf": "odometry.publish_tf",
    "report_dir": "report.dir",
}
SHARE = FindPackageShare("f4x_ros")
PARAMS_FILE = PathJoinSubstitution([SHARE, "config", "perception.yaml"])
WEB_PORT = 8322
YES_OR_NO = ["true", "false", "True", "False"]


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return every launch argument, with its description (`--show-args`)."""
    described = {
        "namespace": ("", "namespace of the nodes, their topics and their /tf"),
        "prompts": (
            "",
            "what to look for, with commas in between: 'red mug, sofa'; empty: what params_file "
            "says, and with `camera` and no params_file of yours, things that may be there",
        ),
        "prompts_file": ("", "text file with one prompt per line, added to the prompts"),
        "extractor": (
            "",
            "model that understands the prompts (embedded, color, openclip, ...); "
            "empty: what params_file says",
        ),
        "params_file": (PARAMS_FILE, "YAML file with the parameters of the perception node"),
        "use_sim_time": ("false", "true: take the time from /clock (simulation, bags)"),
        "autostart": (
            "true",
            "true: the node configures and activates itself; false: a lifecycle manager does",
        ),
        "log_level": ("info", "debug, info, warn, error or fatal"),
        "cameras": (
            "",
            "names of several cameras that make one map, with commas in between: 'front, left'; "
            "the topics below are then those under each name (front/image); empty: what "
            "params_file says, which is one camera",
        ),
        "stereo": (
            "false",
            "true: depth comes of a pair of images, in place of the topics below",
        ),
        "left_topic": ("left/image", "with stereo, the left image; its camera_info is beside it"),
        "right_topic": (
            "right/image",
            "with stereo, the right image; its camera_info is beside it",
        ),
        "image_topic": ("image", "topic of the colour image (sensor_msgs/Image)"),
        "camera_info_topic": ("camera_info", "topic of its calibration (sensor_msgs/CameraInfo)"),
        "depth_topic": ("depth/image", "topic of the depth (32FC1 metres or 16UC1 millimetres)"),
        "pose_topic": (
            "pose",
            "topic of the camera's pose (geometry_msgs/PoseStamped), read where pose_source is "
            "`topic` instead of `tf`",
        ),
        "pose_source": (
            "",
            "where the camera's pose comes from: tf, topic, or odometry, which needs neither: the "
            "node estimates it from the pictures and publishes ~/odometry; empty: what "
            "params_file says",
        ),
        "base_frame": (
            "",
            "with odometry: frame of the robot that carries the camera (base_link), whose pose "
            "is published; empty: what params_file says, which is the camera",
        ),
        "publish_tf": (
            "",
            "with odometry, the transform to publish: none, map_to_camera, map_to_base or "
            "map_to_odom; empty: what params_file says, which is none",
        ),
        "map_frame": (
            "",
            "fixed frame of the map (map, odom, ...); empty: what params_file says",
        ),
        "report_dir": (
            "",
            "folder for what `f4x run` leaves, written when the node ends; empty: what "
            "params_file says",
        ),
        "camera": (
            "",
            "recording to publish as a camera: folder, bag or `demo`, the demo world; "
            "empty: another process publishes the images",
        ),
        "camera_rate_hz": (
            "5.0",
            "frames per second of `camera`; 0.0: as fast as they are received",
        ),
        "loop": (
            "true",
            "true: `camera` begins again at its end, until Ctrl-C, with the stamps of the clock; "
            "false: it plays once, with its own stamps",
        ),
        "web": (
            "false",
            "true: show the map in a browser at http://localhost:8322/; another port: web.port in "
            "params_file",
        ),
        "rviz": ("false", "true: start RViz, too"),
        "rviz_config": (
            PathJoinSubstitution([SHARE, "config", "perception.rviz"]),
            "configuration file of RViz",
        ),
    }
    choices = dict.fromkeys(
        ("use_sim_time", "autostart", "loop", "rviz", "web", "stereo"), YES_OR_NO
    )
    return [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=choices.get(name)
        )
        for name, (default, description) in described.items()
    ]


def start(context: LaunchContext) -> list[object]:
    """Describe the node, the optional camera and the optional RViz, of the arguments as given."""
    said = context.launch_configurations
    common = {
        "namespace": said["namespace"],
        "output": "screen",
        "ros_arguments": ["--log-level", said["log_level"]],
    }
    sim_time = {"use_sim_time": is_true(said["use_sim_time"])}
    image_topics = remapped(said)
    given = {PARAMETERS[name]: said[name] for name in PARAMETERS if said[name]}
    page = {"web.port": WEB_PORT} if is_true(said["web"]) else {}
    if is_true(said["stereo"]):
        page["stereo"] = True
    actions: list[object] = []
    if examples := examples_for(
        said, is_default=said["params_file"] == PARAMS_FILE.perform(context)
    ):
        given["prompts"] = examples
        actions.append(LogInfo(msg=f"No prompts given, looking for: {examples} (prompts:=...)"))
    actions.append(
        LifecycleNode(
            package="f4x_ros",
            executable="perception",
            name="perception",
            parameters=[
                said["params_file"],
                {**sim_time, "autostart": is_true(said["autostart"])},
                {name: as_text(value) for name, value in given.items()} | page,
            ],
            remappings=[*TF_REMAPPINGS, *image_topics, ("pose", said["pose_topic"])],
            sigterm_timeout="30",  # after Ctrl-C: what was taken in is mapped, and reported
            **common,
        )
    )
    if said["camera"]:
        loop = is_true(said["loop"])
        actions.append(
            Node(
                package="f4x_ros",
                executable="camera",
                name="camera",
                parameters=[
                    {
                        **sim_time,
                        "source": as_text(said["camera"]),
                        "cameras": as_text(said["cameras"]),
                        "rate_hz": LaunchConfiguration("camera_rate_hz"),
                        "loop": loop,
                        # (odometry is for cameras whose pose nobody knows)
                        "publish_tf": said["pose_source"] != "odometry",
                        # (a jump back in time would begin a new map with each round)
                        "stamps": "now" if loop else "original",
                    }
                ],
                remappings=[*TF_REMAPPINGS, *image_topics],
                **common,
            )
        )
    if is_true(said["rviz"]):
        actions.append(rviz(said["rviz_config"], sim_time, common))
    return actions


def remapped(said: dict[str, str]) -> list[tuple[str, str]]:
    """Where the topics of the images are; of several cameras, under the name of each."""
    left, right = said["left_topic"], said["right_topic"]
    pair = {
        "left/image": left,
        "left/camera_info": info_beside(left),
        "right/image": right,
        "right/camera_info": info_beside(right),
    }
    with_depth = {
        "image": said["image_topic"],
        "camera_info": said["camera_info_topic"],
        "depth/image": said["depth_topic"],
    }
    topics = pair if is_true(said["stereo"]) else with_depth
    names = [name.strip() for name in said["cameras"].split(",") if name.strip()]
    if not names:
        return list(topics.items())
    for topic in topics.values():
        if topic.startswith(("/", "~")):
            raise RuntimeError(
                f"'{topic}' with cameras:='{said['cameras']}', expected the part after the "
                "camera's name: color/image_raw for /front/color/image_raw"
            )
    return [(f"{one}/{name}", f"{one}/{topic}") for one in names for name, topic in topics.items()]


def info_beside(topic: str) -> str:
    """The calibration beside an image, where image_transport expects it."""
    return "/".join([*topic.split("/")[:-1], "camera_info"])


def rviz(config: str, sim_time: dict[str, bool], common: dict[str, object]) -> object:
    """RViz; where it is not installed, words: the node is of use without."""
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return LogInfo(msg="rviz:=true, but the package rviz2 is not installed: going on without")
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        arguments=["-d", config],
        parameters=[sim_time],
        remappings=[
            *TF_REMAPPINGS,
            *((f"/perception/{topic}", f"perception/{topic}") for topic in RVIZ_TOPICS),
        ],
        **common,
    )


def examples_for(said: dict[str, str], *, is_default: bool) -> str:
    """What to look for where there is a camera of ours and nobody said anything about prompts."""
    if not said["camera"] or said["prompts"] or said["prompts_file"] or not is_default:
        return ""
    extractor = speaker(said["extractor"] or "embedded")
    if said["camera"].split(":")[0] == "demo":
        return ", ".join(DEMO.get(extractor, ()))
    return "" if extractor in NAMES_ITSELF else ", ".join(EXAMPLES.get(extractor, ()))


def as_text(value: str) -> ParameterValue:
    """A text stays one: launch would make a number of '7' and a list of '[a]'."""
    return ParameterValue(value, value_type=str)


def is_true(value: str) -> bool:
    """Tell yes from no, as launch writes it."""
    return value.lower() == "true"


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments, and what is started with them."""
    return LaunchDescription([*declare_arguments(), OpaqueFunction(function=start)])
