# SPDX-License-Identifier: Apache-2.0
"""Start the perception node, and if asked for a camera and RViz.

With no robot:   ros2 launch f4x_ros perception.launch.py camera:=demo rviz:=true
On a robot:      ros2 launch f4x_ros perception.launch.py image_topic:=/camera/color/image_raw \
                     camera_info_topic:=/camera/color/camera_info \
                     depth_topic:=/camera/aligned_depth_to_color/image_raw
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import LifecycleNode, Node
from launch_ros.substitutions import FindPackageShare

# With a namespace, each robot has its transforms on topics of its own, as in nav2.
TF_REMAPPINGS = [("/tf", "tf"), ("/tf_static", "tf_static")]

# perception.rviz names the node's topics absolutely; under a namespace they are relative to it.
RVIZ_TOPICS = ["overlay", "moving", "cloud", "map_cloud", "markers"]


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return every launch argument, with its description (`--show-args`)."""
    share = FindPackageShare("f4x_ros")
    described = {
        "namespace": ("", "namespace of the nodes, their topics and their /tf"),
        "params_file": (
            PathJoinSubstitution([share, "config", "perception.yaml"]),
            "YAML file with the parameters of the perception node",
        ),
        "use_sim_time": ("false", "true: take the time from /clock (simulation, bags)"),
        "autostart": (
            "true",
            "true: the node configures and activates itself; false: a lifecycle manager does",
        ),
        "log_level": ("info", "debug, info, warn, error or fatal"),
        "image_topic": ("image", "topic of the colour image (sensor_msgs/Image)"),
        "camera_info_topic": ("camera_info", "topic of its calibration (sensor_msgs/CameraInfo)"),
        "depth_topic": (
            "depth/image",
            "topic of the depth registered to the colour image (32FC1 metres or 16UC1 millimetres)",
        ),
        "pose_topic": (
            "pose",
            "topic of the camera's pose (geometry_msgs/PoseStamped), read where the parameter "
            "pose_source is `topic` instead of `tf`",
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
        "rviz": ("false", "true: start RViz, too"),
        "rviz_config": (
            PathJoinSubstitution([share, "config", "perception.rviz"]),
            "configuration file of RViz",
        ),
    }
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in described.items()
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe the node, the optional camera and the optional RViz."""
    argument = LaunchConfiguration
    common = {
        "namespace": argument("namespace"),
        "output": "screen",
        "ros_arguments": ["--log-level", argument("log_level")],
    }
    sim_time = {"use_sim_time": argument("use_sim_time")}
    image_topics = [
        ("image", argument("image_topic")),
        ("camera_info", argument("camera_info_topic")),
        ("depth/image", argument("depth_topic")),
    ]
    perception = LifecycleNode(
        package="f4x_ros",
        executable="perception",
        name="perception",
        parameters=[
            argument("params_file"),
            {**sim_time, "autostart": argument("autostart")},
        ],
        remappings=[*TF_REMAPPINGS, *image_topics, ("pose", argument("pose_topic"))],
        **common,
    )
    camera = Node(
        package="f4x_ros",
        executable="camera",
        name="camera",
        parameters=[
            {**sim_time, "source": argument("camera"), "rate_hz": argument("camera_rate_hz")}
        ],
        remappings=[*TF_REMAPPINGS, *image_topics],
        # (a comparison by PythonExpression, as ROS 2 Humble has no NotEqualsSubstitution)
        condition=IfCondition(PythonExpression(['"', argument("camera"), '" != ""'])),
        **common,
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        arguments=["-d", argument("rviz_config")],
        parameters=[sim_time],
        remappings=[
            *TF_REMAPPINGS,
            *((f"/perception/{topic}", f"perception/{topic}") for topic in RVIZ_TOPICS),
        ],
        condition=IfCondition(argument("rviz")),
        **common,
    )
    return LaunchDescription([*declare_arguments(), perception, camera, rviz])
