// The cameras of the Character Library's 27-shot set. A shot that could not be drawn is told by its
// name alone, and one that never came is not told at all: this table says where each belongs.
// A test holds it against the simulator's table.

const ROWS = [
  // slug, name, lens (mm), azimuth (°), elevation (°), crop, expression
  ['enhanced_35a_45left_3q_v2', '35mm 45° LEFT 3Q (Enhanced)', 35, -45, 0, '3q', 'neutral'],
  ['enhanced_35a_3qleft_3q_v2', '35mm 3Q LEFT (Enhanced)', 35, -35, 0, '3q', 'neutral'],
  ['enhanced_35a_front_full_v2', '35mm FRONT FULL (Enhanced)', 35, 0, 0, 'full', 'neutral'],
  ['enhanced_35a_tpose_full_v2', 'T-POSE CALIBRATION (Enhanced)', 35, 0, 0, 'full', 'neutral'],
  ['enhanced_35a_3qright_3q_v2', '35mm 3Q RIGHT (Enhanced)', 35, 35, 0, '3q', 'neutral'],
  ['enhanced_35a_45right_3q_v2', '35mm 45° RIGHT 3Q (Enhanced)', 35, 45, 0, '3q', 'neutral'],
  ['enhanced_35a_back_full_v2', '35mm BACK FULL (Enhanced)', 35, 180, 0, 'full', 'neutral'],
  ['enhanced_50c_3qleft_cu_v2', '50mm 3Q LEFT CU (Enhanced)', 50, -35, 0, 'cu', 'neutral'],
  ['enhanced_50c_thoughtful_3qleft_cu_v2', '50mm THOUGHTFUL 3Q LEFT CU (Enhanced)', 50, -35, 0, 'cu', 'thoughtful'],
  ['enhanced_50c_25left_mcu_v2', '50mm 25° LEFT MCU (Enhanced)', 50, -25, 0, 'mcu', 'neutral'],
  ['enhanced_50c_concerned_cu_v2', '50mm CONCERNED CU (Enhanced)', 50, 0, 0, 'cu', 'concerned'],
  ['enhanced_50c_front_cu_v2', '50mm FRONT CU (Enhanced)', 50, 0, 0, 'cu', 'neutral'],
  ['enhanced_50c_high_angle_cu_v2', '50mm HIGH ANGLE CU (Enhanced)', 50, 0, 15, 'cu', 'neutral'],
  ['enhanced_50c_low_angle_cu_v2', '50mm LOW ANGLE CU (Enhanced)', 50, 0, -15, 'cu', 'neutral'],
  ['enhanced_50c_25right_mcu_v2', '50mm 25° RIGHT MCU (Enhanced)', 50, 25, 0, 'mcu', 'neutral'],
  ['enhanced_50c_3qright_cu_v2', '50mm 3Q RIGHT CU (Enhanced)', 50, 35, 0, 'cu', 'neutral'],
  ['enhanced_50c_back_3q_v2', '50mm BACK 3Q (Enhanced)', 50, 180, 0, '3q', 'neutral'],
  ['enhanced_85e_profile_left_mcu_v2', '85mm PROFILE LEFT MCU (Enhanced)', 85, -90, 0, 'mcu', 'neutral'],
  ['enhanced_85e_3qleft_mcu_v2', '85mm 3Q LEFT MCU (Enhanced)', 85, -35, 0, 'mcu', 'neutral'],
  ['enhanced_85e_vulnerable_mcu_v2', '85mm VULNERABLE MCU (Enhanced)', 85, -25, 5, 'mcu', 'vulnerable'],
  ['enhanced_85e_tight_15left_cu_v2', '85mm TIGHT 15° LEFT CU (Enhanced)', 85, -15, 0, 'cu', 'neutral'],
  ['enhanced_85e_determined_mcu_v2', '85mm DETERMINED MCU (Enhanced)', 85, 0, 0, 'mcu', 'determined'],
  ['enhanced_85e_front_mcu_v2', '85mm FRONT MCU (Enhanced)', 85, 0, 0, 'mcu', 'neutral'],
  ['enhanced_85h_hands_detail_v2', 'HANDS DETAIL (Enhanced Macro)', 85, 0, -15, 'hands', 'neutral'],
  ['enhanced_85e_tight_15right_cu_v2', '85mm TIGHT 15° RIGHT CU (Enhanced)', 85, 15, 0, 'cu', 'neutral'],
  ['enhanced_85e_3qright_mcu_v2', '85mm 3Q RIGHT MCU (Enhanced)', 85, 35, 0, 'mcu', 'neutral'],
  ['enhanced_85e_profile_right_mcu_v2', '85mm PROFILE RIGHT MCU (Enhanced)', 85, 90, 0, 'mcu', 'neutral'],
];

export const CORE_SHOTS = Object.freeze(
  ROWS.map(([slug, name, lensMm, cameraAzimuthDeg, cameraElevationDeg, crop, expression]) =>
    Object.freeze({ slug, name, lensMm, cameraAzimuthDeg, cameraElevationDeg, crop, expression }),
  ),
);
