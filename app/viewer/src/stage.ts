/** What surrounds a figure: ground with a 1 m grid, light, shadow, fog. */

import * as THREE from "three";

import { ORDER } from "./figure";

export interface StageColors {
  readonly horizon: string;
  readonly ground: string;
  readonly line: string;
  /** Opacity of the shadow on the ground. */
  readonly shade: number;
  readonly hemisphere: number;
}

export const STAGE_COLORS: Readonly<Record<"light" | "dark", StageColors>> = {
  light: { horizon: "#EEF1F5", ground: "#E0E5EB", line: "#BCC4CE", shade: 0.3, hemisphere: 2.1 },
  dark: { horizon: "#171B22", ground: "#2A303A", line: "#4A5361", shade: 0.55, hemisphere: 2.3 },
};

const GROUND_SIZE_M = 400;
const SHADOW_SIZE_M = 1.7;
const SHADE_SIZE_M = 4;
const SUN_OFFSET = new THREE.Vector3(1.6, 4.2, 1.9);

export class Stage {
  readonly scene = new THREE.Scene();
  private readonly sun = new THREE.DirectionalLight(0xffffff, 2.3);
  private readonly sky = new THREE.HemisphereLight(0xffffff, 0x8a8f98, 1.9);
  private readonly ground: THREE.Mesh<THREE.PlaneGeometry, THREE.ShaderMaterial>;
  /** Only this patch asks the shadow map; it goes with the figure. */
  private readonly shade: THREE.Mesh<THREE.PlaneGeometry, THREE.ShadowMaterial>;
  private readonly fog = new THREE.Fog(0xffffff, 6, 30);

  constructor() {
    const plane = new THREE.PlaneGeometry(GROUND_SIZE_M, GROUND_SIZE_M).rotateX(-Math.PI / 2);
    this.ground = new THREE.Mesh(plane, groundMaterial());
    this.ground.renderOrder = ORDER.ground;
    const patch = new THREE.PlaneGeometry(SHADE_SIZE_M, SHADE_SIZE_M).rotateX(-Math.PI / 2);
    this.shade = new THREE.Mesh(patch, new THREE.ShadowMaterial({ depthWrite: false, fog: false }));
    this.shade.receiveShadow = true;
    this.shade.renderOrder = ORDER.shade;
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(1024, 1024);
    this.sun.shadow.radius = 3.5;
    this.sun.shadow.bias = -0.0006;
    this.sun.shadow.normalBias = 0.012;
    const box = this.sun.shadow.camera;
    box.left = box.bottom = -SHADOW_SIZE_M;
    box.right = box.top = SHADOW_SIZE_M;
    box.near = 0.5;
    box.far = 10;
    this.scene.fog = this.fog;
    this.scene.add(this.ground, this.shade, this.sun, this.sun.target, this.sky);
  }

  paint(colors: StageColors): void {
    this.scene.background = new THREE.Color(colors.horizon);
    this.fog.color.set(colors.horizon);
    this.ground.material.uniforms.base.value.set(colors.ground);
    this.ground.material.uniforms.line.value.set(colors.line);
    this.shade.material.opacity = colors.shade;
    this.sky.intensity = colors.hemisphere;
  }

  /** Light and shadow go with the figure; the fog begins behind it. */
  follow(x: number, y: number, z: number, cameraDistance: number): void {
    this.sun.target.position.set(x, y * 0.6, z);
    this.sun.position.copy(this.sun.target.position).add(SUN_OFFSET);
    this.shade.position.set(x - SUN_OFFSET.x * 0.2, 0, z - SUN_OFFSET.z * 0.2);
    this.fog.near = cameraDistance * 1.3 + 1;
    this.fog.far = cameraDistance * 3.2 + 12;
  }

  dispose(): void {
    for (const mesh of [this.ground, this.shade]) {
      mesh.geometry.dispose();
      mesh.material.dispose();
    }
    this.sun.dispose();
    this.sky.dispose();
  }
}

/** Plain colour: on a plane, a distant light is the same everywhere. The lines are drawn in the shader, even in
 * width at any distance and gone before they shimmer. */
function groundMaterial(): THREE.ShaderMaterial {
  return new THREE.ShaderMaterial({
    depthWrite: false,
    fog: true,
    uniforms: THREE.UniformsUtils.merge([
      THREE.UniformsLib.fog,
      { base: { value: new THREE.Color() }, line: { value: new THREE.Color() } },
    ]),
    vertexShader: `
      #include <fog_pars_vertex>
      varying vec2 vFloor;
      void main() {
        vFloor = position.xz;
        vec4 mvPosition = modelViewMatrix * vec4(position, 1.0);
        gl_Position = projectionMatrix * mvPosition;
        #include <fog_vertex>
      }`,
    fragmentShader: `
      #include <common>
      #include <fog_pars_fragment>
      uniform vec3 base;
      uniform vec3 line;
      varying vec2 vFloor;
      void main() {
        vec2 width = fwidth(vFloor);
        vec2 away = abs(fract(vFloor - 0.5) - 0.5) / max(width, vec2(1e-5));
        vec2 strength = (1.0 - smoothstep(0.25, 1.15, away)) * (1.0 - smoothstep(0.12, 0.45, width));
        gl_FragColor = vec4(mix(base, line, max(strength.x, strength.y)), 1.0);
        #include <colorspace_fragment>
        #include <fog_fragment>
      }`,
  });
}
