"""The 27 shots of the 360° set, in the order in which the server draws them."""

from __future__ import annotations

import hashlib
from typing import Any

from attrs import frozen

__all__ = ["SHOTS", "ReferenceShot"]

_SEEDED = "2026-01-01T00:00:00.000Z"
_MODES = {35: "Action/Body", 50: "Conversation", 85: "Emotion"}
_STOPS = {35: 2.8, 50: 2, 85: 1.8}
_HEADROOM = {"cu": "tight", "hands": "tight", "mcu": "equal"}
_SCENES = {
    "a": "action",
    "d": "dialogue",
    "e": "emotional",
    "s": "establishing",
    "t": "transition",
}
_TEMPLATE = (
    "Studio reference of {CHARACTER}, {PHYSIQUE_TRAITS}; {LENS}mm from {DISTANCE}m at {AZIMUTH}° "
    "and {ELEVATION}°; {CROP}, {POSE}; reference image {REF_URL}"
)


@frozen
class ReferenceShot:
    """One shot of the server's shot library, as the gallery's ``referenceShot`` tells it."""

    slug: str
    name: str
    lens_mm: int
    angle: str
    crop: str
    expression: str
    pose: str
    camera_azimuth_deg: int
    camera_elevation_deg: int
    camera_distance_m: float
    subject_yaw_deg: int
    scene_types: tuple[str, ...]

    @property
    def gaze(self) -> str:
        """Where the figure looks."""
        away = abs(self.camera_azimuth_deg) >= 75 and self.slug != "enhanced_50c_back_3q_v2"
        return "away" if away else "to_camera"

    @property
    def thirds(self) -> str:
        """Where in the picture it stands."""
        if abs(self.camera_azimuth_deg) <= 15:
            return "centered"
        return "left_third" if self.camera_azimuth_deg > 0 else "right_third"

    def file_name(self, who: str, version: int) -> str:
        """Return the beginning of the name of a file."""
        look = f"{self.lens_mm}mm_{self.angle}_{self.crop}_{self.expression}"
        return f"{who}_{look}_v{version}"

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        hands = self.crop == "hands"
        mode = "Hands" if hands else _MODES[self.lens_mm]
        words = (f"{self.lens_mm}mm", mode.lower(), self.angle, self.crop, self.expression)
        return {
            "id": _id(self.slug),
            "slug": self.slug,
            "shotName": self.name,
            "lensMm": self.lens_mm,
            "fStop": 2.8 if hands else _STOPS[self.lens_mm],
            "iso": 200,
            "shutterSpeed": "1/250",
            "mode": mode,
            "angle": self.angle,
            "crop": self.crop,
            "expression": self.expression,
            "pose": self.pose,
            "referenceWeight": 0.9,
            "pack": "core",
            "description": f"{self.name}: for {mode}",
            "usageNotes": f"Shows {self.crop} from {self.angle}",
            "tags": [
                {"tag": word, "id": _id(f"{self.slug} {word}")}
                for word in (*words, "priority_1", *self.scene_types)
            ],
            "fileNamePattern": f"{self.file_name('{CHAR}', 2)}_{{TIMESTAMP}}.png",
            "promptTemplate": _TEMPLATE,
            "cameraAzimuthDeg": self.camera_azimuth_deg,
            "cameraElevationDeg": self.camera_elevation_deg,
            "cameraDistanceM": self.camera_distance_m,
            "subjectYawDeg": self.subject_yaw_deg,
            "gaze": self.gaze,
            "thirds": self.thirds,
            "headroom": _HEADROOM.get(self.crop, "loose"),
            "whenToUse": f"In scenes of {' and '.join(self.scene_types)}",
            "sceneTypes": list(self.scene_types),
            "priority": 1,
            "compositionNotes": f"Keep the figure {self.thirds}",
            "isActive": True,
            "sortOrder": 10,
            "version": "v2_enhanced",
            "updatedAt": _SEEDED,
            "createdAt": _SEEDED,
        }


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(row: str) -> ReferenceShot:
    slug, angle, crop, face, pose, azimuth, elevation, distance, yaw, scenes, name = row.split(
        " ", 10
    )
    return ReferenceShot(
        slug=f"enhanced_{slug}_v2",
        name=name if "(" in name else f"{name} (Enhanced)",
        lens_mm=int(slug[:2]),
        angle=angle,
        crop=crop,
        expression=face,
        pose=pose,
        camera_azimuth_deg=int(azimuth),
        camera_elevation_deg=int(elevation),
        camera_distance_m=float(distance),
        subject_yaw_deg=int(yaw),
        scene_types=tuple(_SCENES[each] for each in scenes),
    )


# Slug, angle, crop, expression, pose, azimuth, elevation, distance, yaw, scene types, name.
_ROWS = """\
50c_25right_mcu 3q_right mcu neutral relaxed 25 0 1.9 -28 d 50mm 25° RIGHT MCU
50c_25left_mcu 3q_left mcu neutral relaxed -25 0 1.9 28 d 50mm 25° LEFT MCU
85e_tight_15right_cu front cu neutral relaxed 15 0 1.2 0 ed 85mm TIGHT 15° RIGHT CU
85e_tight_15left_cu front cu neutral relaxed -15 0 1.2 0 e 85mm TIGHT 15° LEFT CU
50c_thoughtful_3qleft_cu 3q_left cu thoughtful relaxed -35 0 1.8 28 de 50mm THOUGHTFUL 3Q LEFT CU
85e_determined_mcu front mcu determined relaxed 0 0 1.5 0 ea 85mm DETERMINED MCU
35a_45right_3q 3q_right 3q neutral dynamic_stance 45 0 2.5 -24 a 35mm 45° RIGHT 3Q
35a_45left_3q 3q_left 3q neutral dynamic_stance -45 0 2.5 25 a 35mm 45° LEFT 3Q
50c_low_angle_cu front cu neutral relaxed 0 -15 2.1 0 da 50mm LOW ANGLE CU
50c_high_angle_cu front cu neutral relaxed 0 15 2.1 0 ed 50mm HIGH ANGLE CU
85e_vulnerable_mcu 3q_left mcu vulnerable relaxed -25 5 1.4 21 e 85mm VULNERABLE MCU
50c_concerned_cu front cu concerned relaxed 0 0 2.1 0 ed 50mm CONCERNED CU
35a_tpose_full front full neutral t_pose 0 0 3.4 0 s T-POSE CALIBRATION
85h_hands_detail front hands neutral hand_centered 0 -15 0.8 0 ad HANDS DETAIL (Enhanced Macro)
50c_back_3q back 3q neutral relaxed 180 0 2.1 -144 dt 50mm BACK 3Q
35a_back_full back full neutral a_pose 180 0 3.4 -126 s 35mm BACK FULL
85e_profile_right_mcu profile_right mcu neutral relaxed 90 0 1.5 -54 et 85mm PROFILE RIGHT MCU
85e_profile_left_mcu profile_left mcu neutral relaxed -90 0 1.5 54 et 85mm PROFILE LEFT MCU
85e_3qright_mcu 3q_right mcu neutral relaxed 35 0 1.3 -21 e 85mm 3Q RIGHT MCU
85e_3qleft_mcu 3q_left mcu neutral relaxed -35 0 1.3 21 e 85mm 3Q LEFT MCU
85e_front_mcu front mcu neutral relaxed 0 0 1.5 0 ed 85mm FRONT MCU
50c_3qright_cu 3q_right cu neutral relaxed 35 0 1.8 -28 d 50mm 3Q RIGHT CU
50c_3qleft_cu 3q_left cu neutral relaxed -35 0 1.8 28 d 50mm 3Q LEFT CU
50c_front_cu front cu neutral relaxed 0 0 2.1 0 de 50mm FRONT CU
35a_3qright_3q 3q_right 3q neutral relaxed 35 0 2.7 -24 ad 35mm 3Q RIGHT
35a_3qleft_3q 3q_left 3q neutral relaxed -35 0 2.7 25 ad 35mm 3Q LEFT
35a_front_full front full neutral a_pose 0 0 3.4 0 as 35mm FRONT FULL"""
SHOTS = tuple(map(_read, _ROWS.splitlines()))
