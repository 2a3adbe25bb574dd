/** Bodies in the scene: solid, ghost and trail are one geometry with different materials. */

import * as THREE from "three";

import type { Motion } from "./motion";
import type { Pose } from "./pose";

/** What goes wrong (below the floor, sliding) has this one colour in every pane. */
export const ALARM_COLOR = "#E6007E";

/** Later is drawn over earlier. The ground writes no depth, so that what is below it stays visible. */
export const ORDER = { ground: -10, shade: -9, body: 0, mark: 1, trail: 2, ghost: 3 } as const;

// Every vertex belongs to one joint, so one matrix is fetched instead of four blended. These are the bundle's own
// copies of the chunks: the shadow pass uses them too.
const ifSkinned = (code: string): string => `#ifdef USE_SKINNING\n${code}\n#endif`;
Object.assign(THREE.ShaderChunk, {
  skinbase_vertex: ifSkinned("mat4 jointMatrix = getBoneMatrix(skinIndex.x);"),
  skinnormal_vertex: ifSkinned("objectNormal = mat3(jointMatrix) * objectNormal;"),
  skinning_vertex: ifSkinned("transformed = (jointMatrix * vec4(transformed, 1.0)).xyz;"),
});

/** A body drawn at the joint transforms given to `pose`. */
export class Figure {
  readonly group = new THREE.Group();
  private readonly skeleton: THREE.Skeleton;
  private readonly bones: THREE.Bone[];

  constructor(
    geometry: THREE.BufferGeometry,
    joints: number,
    materials: readonly THREE.Material[],
    order: number,
    castShadow: boolean,
  ) {
    this.bones = Array.from({ length: joints }, () => new THREE.Bone());
    const still = Array.from({ length: joints }, () => new THREE.Matrix4());
    this.skeleton = new THREE.Skeleton(this.bones, still);
    materials.forEach((material, pass) => {
      const mesh = new THREE.SkinnedMesh(geometry, material);
      mesh.bind(this.skeleton, new THREE.Matrix4());
      // The bounds would have to follow the bones; a figure is nearly always in view.
      mesh.frustumCulled = false;
      mesh.castShadow = castShadow;
      mesh.receiveShadow = castShadow;
      mesh.renderOrder = order + pass * 0.1;
      this.group.add(mesh);
    });
  }

  pose(pose: Pose): void {
    // The bones stand outside the scene, so nothing recomputes what is written here.
    this.bones.forEach((bone, joint) => bone.matrixWorld.fromArray(pose, joint * 16));
  }

  dispose(): void {
    this.skeleton.dispose();
  }
}

export function solidFigure(geometry: THREE.BufferGeometry, motion: Motion): Figure {
  return new Figure(geometry, motion.joints, [paint("solid", () => matte(true))], ORDER.body, true);
}

/** Translucent as one surface: a depth pass first, then only the nearest skin is blended. */
export function translucentFigure(
  geometry: THREE.BufferGeometry,
  motion: Motion,
  opacity: number,
  order: number,
  glows: boolean,
): Figure {
  const depth = paint("depth", () => {
    const material = behindSolid(matte(false));
    material.colorWrite = false;
    return material;
  });
  const skin = paint(`skin ${opacity} ${glows}`, () => {
    const material = behindSolid(matte(glows));
    material.opacity = opacity;
    material.depthWrite = false;
    return material;
  });
  return new Figure(geometry, motion.joints, [depth, skin], order, false);
}

const paints = new Map<string, THREE.MeshLambertMaterial>();

/** Colours are in the vertices, so a few materials serve all figures. They are kept: a material that goes may take
 * its compiled program along, and the next motion would wait for the compiler. */
function paint(name: string, make: () => THREE.MeshLambertMaterial): THREE.MeshLambertMaterial {
  const kept = paints.get(name);
  if (kept !== undefined) return kept;
  const made = make();
  paints.set(name, made);
  return made;
}

/** Where it coincides with the solid figure, the solid one wins. */
function behindSolid(material: THREE.MeshLambertMaterial): THREE.MeshLambertMaterial {
  material.transparent = true;
  material.polygonOffset = true;
  material.polygonOffsetFactor = 1;
  material.polygonOffsetUnits = 4;
  return material;
}

/** Matte, shaded by vertex colour. Below the floor it may glow, with a bright line where it goes under. */
function matte(glows: boolean): THREE.MeshLambertMaterial {
  const material = new THREE.MeshLambertMaterial({ vertexColors: true });
  if (!glows) return material;
  material.onBeforeCompile = (shader) => {
    shader.uniforms.alarm = { value: new THREE.Color(ALARM_COLOR) };
    shader.vertexShader = shader.vertexShader
      .replace("#include <common>", "#include <common>\nvarying float vHeight;")
      .replace(
        "#include <project_vertex>",
        "#include <project_vertex>\nvHeight = (modelMatrix * vec4(transformed, 1.0)).y;",
      );
    shader.fragmentShader = shader.fragmentShader
      .replace("#include <common>", "#include <common>\nvarying float vHeight;\nuniform vec3 alarm;")
      .replace(
        "#include <emissivemap_fragment>",
        `#include <emissivemap_fragment>
        // 4 mm: numerical contact is not penetration.
        float under = smoothstep(-0.004, -0.010, vHeight);
        float line = under * smoothstep(-0.020, -0.010, vHeight);
        diffuseColor.rgb = mix(diffuseColor.rgb, alarm * 0.35, under);
        diffuseColor.a = mix(diffuseColor.a, max(diffuseColor.a, 0.75), under);
        totalEmissiveRadiance += alarm * 0.75 * under + vec3(0.5) * line;`,
      );
  };
  material.customProgramCacheKey = () => "lsv-matte";
  return material;
}
