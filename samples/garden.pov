// The sample picture of osediff: a garden table with a fern, a book, a card and a wire basket.
// Written for this project, dedicated to the public domain (CC0). POV-Ray 3.7, no include files.
// One unit is one centimetre; x right, y up, z away from the camera.
#version 3.7;

#ifndef (Soft) #declare Soft = 0; #end // 1: depth of field, for the final picture
#ifndef (Bounce) #declare Bounce = 1; #end // 1: light bounced between surfaces

global_settings {
  assumed_gamma 1.0
  max_trace_level 8
  #if (Bounce)
    radiosity {
      pretrace_start 0.08 pretrace_end 0.02
      count 70 nearest_count 6 error_bound 0.9 low_error_factor 0.6
      recursion_limit 1 gray_threshold 0.2 minimum_reuse 0.02 brightness 1.25
    }
  #end
}

#declare Rnd = seed(20240611);
#macro Between(A, B) (A + (B - A) * rand(Rnd)) #end

camera {
  location <1, 27, -56>
  look_at <0.4, 4.9, -2>
  right x * 4 / 3
  angle 43
  #if (Soft)
    focal_point <-1, 3, -4.5>
    aperture 1.0
    blur_samples 12, 22
    confidence 0.9
    variance 1 / 500
  #end
}

// ------------------------------------------------------------------ light
light_source {
  <-75, 105, 62> * 2
  color rgb <1.0, 0.90, 0.74> * 2.2
  area_light x * 10, z * 10, (Soft ? 2 : 4), (Soft ? 2 : 4) jitter circular orient
}
light_source { // the open sky behind the camera
  <60, 90, -120> * 2
  color rgb <0.74, 0.79, 0.84> * 0.30
  area_light x * 150, y * 110, 2, 2 jitter
}
sky_sphere {
  pigment {
    gradient y
    color_map { [0.0 rgb <0.42, 0.47, 0.40> * 0.5] [0.5 rgb <0.62, 0.74, 0.86> * 0.7] [1.0 rgb <0.55, 0.70, 0.95> * 0.8] }
    scale 2 translate -y
  }
}

// ------------------------------------------------------------------ helpers
// Puts an object whose length runs along +z and whose face is +y along Dir, face towards Up.
#macro Along(Pos, Dir, Up, Size)
  #local D = vnormalize(Dir);
  #local X = vnormalize(vcross(Up, D));
  #local U = vcross(D, X);
  matrix <X.x * Size, X.y * Size, X.z * Size, U.x * Size, U.y * Size, U.z * Size,
          D.x * Size, D.y * Size, D.z * Size, Pos.x, Pos.y, Pos.z>
#end

// A leaf of length 1 along +z. Half(u): half the width at u; folded along the midrib, curled down.
#macro Leaf(Half, Nu, Nv, Fold, Curl, Ripple)
  #local P = array[Nu + 1][2 * Nv + 1]
  #for (I, 0, Nu)
    #local Uu = I / Nu;
    #for (J, -Nv, Nv)
      #local V = J / Nv;
      #local W = Half(Uu) * V;
      #local Wave = Ripple * sin(Uu * 21 + V) * V * V;
      #local P[I][J + Nv] = <W, Fold * abs(W) - Curl * Uu * Uu + Wave - Curl * 0.25 * V * V * Half(Uu), Uu>;
    #end
  #end
  #local Nrm = array[Nu + 1][2 * Nv + 1]
  #for (I, 0, Nu)
    #for (J, 0, 2 * Nv)
      #local A = P[min(I + 1, Nu)][J] - P[max(I - 1, 0)][J];
      #local B = P[I][min(J + 1, 2 * Nv)] - P[I][max(J - 1, 0)] + x * 1e-5;
      #local Nrm[I][J] = vnormalize(vcross(A, B));
    #end
  #end
  mesh {
    #for (I, 0, Nu - 1)
      #for (J, 0, 2 * Nv - 1)
        #local Ua = I / Nu; #local Ub = (I + 1) / Nu;
        #local Va = J / (2 * Nv); #local Vb = (J + 1) / (2 * Nv);
        smooth_triangle { P[I][J], Nrm[I][J], P[I + 1][J], Nrm[I + 1][J], P[I + 1][J + 1], Nrm[I + 1][J + 1]
          uv_vectors <Ua, Va>, <Ub, Va>, <Ub, Vb> }
        smooth_triangle { P[I][J], Nrm[I][J], P[I + 1][J + 1], Nrm[I + 1][J + 1], P[I][J + 1], Nrm[I][J + 1]
          uv_vectors <Ua, Va>, <Ub, Vb>, <Ua, Vb> }
      #end
    #end
  }
#end

// Veins in leaf coordinates: 0 on a vein, 1 between two.
#declare Tooth = function(a) { a - floor(a) }
#declare Side = function(v) { abs(2 * v - 1) }
#declare Veins = function(u, v, k, n) {
  min(min(1, Side(v) / 0.05), min(1, abs(Tooth(u * n - Side(v) * k) - 0.5) * 8))
}
#macro LeafTexture(Green, Light, N, K)
  texture {
    uv_mapping
    pigment {
      function { 0.85 * Veins(x, y, K, N) + 0.15 * Side(y) }
      color_map { [0 rgb Light] [0.5 rgb Green * 1.12] [1 rgb Green * 0.92] }
    }
    normal { function { Veins(x, y, K, N) } 0.25 }
    finish { ambient 0 diffuse 0.62, 0.52 specular 0.22 roughness 0.035 }
  }
#end

// ------------------------------------------------------------------ hazel leaves
#declare HazelHalf = function(u) {
  0.40 * pow(sin(pi * pow(u, 0.72)), 0.72) * (1 - 0.30 * u) + 0.022 * Tooth(u * 15) * sin(pi * min(1, u * 1.04)) + 0.0015
}
#declare HazelA = Leaf(HazelHalf, 60, 4, 0.22, 0.16, 0.020)
#declare HazelB = Leaf(HazelHalf, 60, 4, 0.38, 0.30, 0.028)
#declare HazelFar = Leaf(HazelHalf, 8, 1, 0.35, 0.25, 0)
#declare HazelSkin = array[4]
#declare HazelSkin[0] = LeafTexture(<0.115, 0.24, 0.030>, <0.34, 0.46, 0.13>, 9, 1.6)
#declare HazelSkin[1] = LeafTexture(<0.16, 0.30, 0.035>, <0.40, 0.52, 0.16>, 9, 1.6)
#declare HazelSkin[2] = LeafTexture(<0.085, 0.19, 0.030>, <0.28, 0.40, 0.12>, 9, 1.6)
#declare HazelSkin[3] = LeafTexture(<0.25, 0.34, 0.045>, <0.48, 0.55, 0.18>, 9, 1.6)
#declare Bark = texture {
  pigment { bozo color_map { [0 rgb <0.13, 0.085, 0.05>] [1 rgb <0.30, 0.21, 0.13>] } scale <0.15, 0.15, 0.15> }
  normal { granite 0.5 scale 0.5 }
  finish { ambient 0 diffuse 0.7 }
}

// A twig from From towards Dir, drooping, with leaves left and right.
#macro Twig(From, Dir, Len, Droop, Thick, LeafSize, Gap)
  #local Pp = From; #local Dd = vnormalize(Dir); #local Steps = 22;
  #local Since = 0; #local Sgn = 1;
  #for (I, 0, Steps - 1)
    #local F = I / Steps;
    #local Next = Pp + Dd * Len / Steps;
    cone { Pp, Thick * (1 - 0.8 * F) Next, Thick * (1 - 0.8 * (F + 1 / Steps)) texture { Bark } }
    sphere { Next, Thick * (1 - 0.8 * (F + 1 / Steps)) texture { Bark } }
    #local Since = Since + Len / Steps;
    #if (Since > Gap | I = Steps - 1)
      #local Since = 0; #local Sgn = -Sgn;
      #local Out = vnormalize(vcross(Dd, y)) * Sgn;
      #local LeafDir = vnormalize(Dd * Between(0.5, 0.9) + Out * Between(0.7, 1) - y * Between(0.15, 0.6));
      #if (I = Steps - 1) #local LeafDir = Dd - y * 0.2; #end
      #local Stalk = Next + LeafDir * LeafSize * 0.16;
      cylinder { Next, Stalk, 0.055 pigment { rgb <0.30, 0.34, 0.12> } finish { ambient 0 diffuse 0.7 } }
      object {
        #if (rand(Rnd) < 0.5) HazelA #else HazelB #end
        texture { HazelSkin[floor(rand(Rnd) * 3.99)] }
        Along(Stalk, LeafDir, y + <Between(-.5, .5), 0, Between(-.9, .2)>, LeafSize * Between(0.75, 1.1))
      }
    #end
    #local Pp = Next;
    #local Dd = vnormalize(Dd - y * Droop + <Between(-.05, .05), Between(-.04, .04), Between(-.05, .05)>);
  #end
#end

// ------------------------------------------------------------------ fern
#declare PinnaHalf = function(u) {
  0.155 * pow(1 - u, 0.62) * (1 - exp(-u * 30)) * (0.46 + 0.54 * pow(abs(sin(pi * 10 * u)), 0.65)) + 0.001
}
#declare Pinna = Leaf(PinnaHalf, 80, 2, 0.25, 0.10, 0.01)
#declare FernSkin = array[3]
#declare FernSkin[0] = LeafTexture(<0.13, 0.33, 0.035>, <0.30, 0.50, 0.12>, 10, 0.5)
#declare FernSkin[1] = LeafTexture(<0.18, 0.40, 0.045>, <0.36, 0.56, 0.14>, 10, 0.5)
#declare FernSkin[2] = LeafTexture(<0.095, 0.26, 0.035>, <0.26, 0.44, 0.12>, 10, 0.5)
#macro Frond(Base, Heading, Len, Rise, Bend, Wide)
  #local Skin = floor(rand(Rnd) * 2.99);
  #local Hd = <cos(Heading), 0, sin(Heading)>;
  #local Pp = Base; #local N = 44; #local Sgn = 1;
  union {
    #for (I, 0, N - 1)
      #local F = I / N;
      #local Ang = Rise - Bend * pow(F, 1.35);
      #local Tn = Hd * cos(Ang) + y * sin(Ang);
      #local Nx = Pp + Tn * Len / N;
      cone { Pp, 0.13 * (1 - 0.85 * F) Nx, 0.13 * (1 - 0.85 * (F + 1 / N))
        pigment { rgb <0.30, 0.30, 0.09> } finish { ambient 0 diffuse 0.7 specular 0.2 } }
      #if (F > 0.14)
        #local G = (F - 0.14) / 0.86;
        #local Lp = Wide * pow(sin(pi * (0.10 + 0.90 * pow(G, 0.62))), 0.85) + 0.16;
        #local Up = vnormalize(vcross(vcross(Tn, y), Tn));
        #for (S, -1, 1, 2)
          #local Od = vnormalize(vcross(Tn, Up) * S + Tn * 0.30 - Up * Between(0.02, 0.2));
          object { Pinna texture { FernSkin[Skin] }
            Along(Pp + Tn * (S * 0.08), Od, Up + <Between(-.14, .14), 0, Between(-.14, .14)>, Lp * Between(0.93, 1.06)) }
        #end
      #end
      #local Pp = Nx;
    #end
  }
#end

#declare PotAt = <14.2, 0, 9>;
#declare Clay = texture {
  pigment { wrinkles color_map { [0 rgb <0.46, 0.185, 0.085>] [0.6 rgb <0.56, 0.25, 0.12>] [1 rgb <0.66, 0.40, 0.26>] } scale <3, 1.4, 3> }
  normal { granite 0.10 scale 1.5 }
  finish { ambient 0 diffuse 0.75 specular 0.05 roughness 0.1 }
}
union {
  lathe { linear_spline 9
    <0, 0.1>, <4.6, 0.1>, <4.9, 0.4>, <6.3, 8.3>, <6.95, 8.4>, <7.1, 10.9>, <6.85, 11.1>, <6.3, 11.0>, <6.1, 7>
    texture { Clay } }
  cylinder { y * 9.2, y * 9.6, 6.3
    pigment { granite color_map { [0 rgb 0.02] [1 rgb <0.14, 0.09, 0.06>] } scale 1.5 }
    normal { granite 1 scale 1 } finish { ambient 0 diffuse 0.8 } }
  translate PotAt
}
#for (K, 0, 30)
  #local Ring = (K < 9 ? 1 : (K < 20 ? 2 : 3));
  Frond(PotAt + y * 9.6 + <Between(-1.6, 1.6), 0, Between(-1.6, 1.6)>,
    K * 2.39996 + Between(-.2, .2),
    (Ring = 1 ? Between(17, 21) : (Ring = 2 ? Between(19, 24) : Between(17, 22))),
    (Ring = 1 ? radians(84) : (Ring = 2 ? radians(68) : radians(50))),
    (Ring = 1 ? Between(0.9, 1.4) : (Ring = 2 ? Between(1.3, 1.7) : Between(1.3, 1.6))),
    Between(2.7, 3.5))
#end

// ------------------------------------------------------------------ the cloth
// A gingham is two colours of thread, woven: warp over weft on one square of the checker, under it
// on the next; the pattern comes from the threads' own colours.
#declare Thread = 0.17;
#declare Round = function(a) { sqrt(max(0, 1 - pow(2 * Tooth(a) - 1, 2) * 0.96)) }
#declare Odd = function(a, b) { mod(abs(floor(a) + floor(b)), 2) }
#declare Weave = function(x, y, z) { // height of the thread on top, 0..1
  select(Odd(x, z) - 0.5, Round(z) * (0.45 + 0.55 * sin(pi * Tooth(x))), Round(x) * (0.45 + 0.55 * sin(pi * Tooth(z))))
}
#declare Band = function(a) { select(Tooth(a / 26) - 0.5, 1, 0) }
#declare Line = function(a) { select(abs(Tooth(a / 26) - 0.75) - 0.045, 1, 0) }
#declare Dye = function(x, z) { select(Odd(x, z) - 0.5, max(Band(z), 0.75 * Line(z)), max(Band(x), 0.75 * Line(x))) }
#declare Slub = function { pattern { bumps scale <0.8, 1, 14> } }
#declare Sag = function { pattern { bumps scale 11 } }
#declare Fine = function { pattern { bumps scale <3.2, 1, 5> rotate y * 35 } }
#declare Crease = function(a) { exp(-abs(a) * 2.2) }
#declare ClothY = function(x, z) {
  -0.62 + 0.55 * Sag(x, 0, z) + 0.16 * Fine(x, 0, z) + 0.22 * Crease(x + 20.5 + 0.04 * z) + 0.20 * Crease(z - 15 + 0.03 * x)
  + 0.16 * Crease(x - 8 + 0.02 * z)
}
#declare Linen = texture {
  pigment {
    function { 0.62 * Dye(x, z) + 0.34 * (1 - Weave(x, y, z)) * 0.45 + 0.10 * (Slub(x, y, z) - 0.5) + 0.05 }
    color_map {
      [0.00 rgb <0.80, 0.765, 0.68>] [0.28 rgb <0.50, 0.47, 0.41>]
      [0.62 rgb <0.115, 0.21, 0.36>] [1.00 rgb <0.035, 0.08, 0.16>]
    }
  }
  normal { function { Weave(x, y, z) } 0.55 }
  finish { ambient 0 diffuse 0.78 }
  scale Thread rotate y * -9
}
#declare NX = 150; #declare NZ = 110;
#macro ClothPoint(I, J)
  #local Px = -46 + 92 * I / NX; #local Pz = -30 + 72 * J / NZ;
  <Px, ClothY(Px, Pz), Pz>
#end
#macro ClothNormal(I, J)
  vnormalize(vcross(ClothPoint(I, J + 1) - ClothPoint(I, J - 1), ClothPoint(I + 1, J) - ClothPoint(I - 1, J)))
#end
#declare CN = array[NX + 1][NZ + 1]
#declare CP = array[NX + 1][NZ + 1]
#for (I, 0, NX) #for (J, 0, NZ)
  #declare CP[I][J] = ClothPoint(I, J); #declare CN[I][J] = ClothNormal(I, J);
#end #end
mesh {
  #for (I, 0, NX - 1) #for (J, 0, NZ - 1)
    smooth_triangle { CP[I][J], CN[I][J], CP[I][J + 1], CN[I][J + 1], CP[I + 1][J + 1], CN[I + 1][J + 1] }
    smooth_triangle { CP[I][J], CN[I][J], CP[I + 1][J + 1], CN[I + 1][J + 1], CP[I + 1][J], CN[I + 1][J] }
  #end #end
  texture { Linen }
}

// ------------------------------------------------------------------ the book
#declare Roman = "LiberationSerif-Regular.ttf"
#declare Bold = "LiberationSerif-Bold.ttf"
#declare Slanted = "LiberationSerif-Italic.ttf"
// Text standing in the x-y plane, its baseline starting (or centred) at the given place.
#macro Words(Font, Txt, Size, Px, Py, Centred)
  #local T = text { ttf Font Txt 40, 0 }
  object { T
    #if (Centred) translate -x * (min_extent(T).x + max_extent(T).x) / 2 #end
    translate -z * 20 scale <Size, Size, 1> translate <Px, Py, 0> }
#end
// A drawn fern, for the plate in the book and the card: a stalk and its ribs.
#macro DrawnFern(Tall, Wide, Pen)
  #local N = 15;
  #for (I, 0, N)
    #local F = I / N;
    #local Px = 0.10 * Tall * sin(F * 2.2) - 0.06 * Tall; #local Py = Tall * F;
    #local Gx = Px + 0.10 * Tall * (sin((F + 1 / N) * 2.2) - sin(F * 2.2)); #local Gy = Py + Tall / N;
    #if (I < N) cylinder { <Px, Py, -20>, <Px, Py, 20>, Pen }
      box { <0, -Pen, -20>, <vlength(<Gx - Px, Gy - Py, 0>), Pen, 20> rotate z * degrees(atan2(Gy - Py, Gx - Px)) translate <Px, Py, 0> } #end
    #if (F > 0.12)
      #for (S, -1, 1, 2)
        #local Lr = Wide * pow(1.04 - F, 0.85) * (F < 0.2 ? 0.8 : 1);
        #local M = ceil(11 * Lr / Wide);
        union {
          box { <0, -Pen * 0.8, -20>, <Lr, Pen * 0.8, 20> }
          #for (Q, 1, M)
            #local Qx = Lr * Q / (M + 1); #local Ql = Wide * 0.11 * (1 - 0.6 * Q / M) * sqrt(Lr / Wide) + Pen;
            box { <0, -Pen * 0.6, -20>, <Ql, Pen * 0.6, 20> rotate z * 52 translate x * Qx }
            box { <0, -Pen * 0.6, -20>, <Ql, Pen * 0.6, 20> rotate -z * 52 translate x * Qx }
          #end
          #if (S < 0) scale <-1, 1, 1> #end
          rotate z * S * 20
          translate <Px, Py, 0>
        }
      #end
    #end
  #end
#end

#declare PageW = 11.6; #declare PageH = 16.4;
#declare Poem = union {
  Words(Bold, "The Fern House", 1.32, -5.85, 13.6, 1)
  box { <-8.4, 13.02, -20>, <-3.3, 13.09, 20> }
  box { <-8.4, 12.88, -20>, <-3.3, 12.91, 20> }
  Words(Roman, "Green on green", 1.06, -9.6, 11.35, 0)
  Words(Roman, "the ferns unroll,", 1.06, -9.1, 10.05, 0)
  Words(Roman, "slow clocks, wound", 1.06, -9.6, 8.75, 0)
  Words(Roman, "by summer rain;", 1.06, -9.1, 7.45, 0)
  Words(Roman, "morning writes", 1.06, -9.6, 5.55, 0)
  Words(Roman, "its silver scroll", 1.06, -9.1, 4.25, 0)
  Words(Roman, "and reads it back", 1.06, -9.6, 2.95, 0)
  Words(Roman, "to us again.", 1.06, -9.1, 1.65, 0)
  Words(Slanted, "48", 0.7, -5.85, 0.45, 1)
}
#declare Plate = union {
  union { DrawnFern(10.2, 4.1, 0.035) translate <5.9, 3.7, 0> }
  difference { box { <1.4, 2.9, -20>, <10.4, 15.1, 20> } box { <1.47, 2.97, -30>, <10.33, 15.03, 30> } }
  difference { box { <1.62, 3.12, -20>, <10.18, 14.88, 20> } box { <1.65, 3.15, -30>, <10.15, 14.85, 30> } }
  Words(Slanted, "Athyrium, the lady fern", 0.74, 5.9, 1.95, 1)
  Words(Slanted, "49", 0.7, 5.9, 0.45, 1)
}
#declare Paper = texture {
  pigment { bozo color_map { [0 rgb <0.70, 0.645, 0.52>] [1 rgb <0.74, 0.69, 0.575>] } scale 4 }
  finish { ambient 0 diffuse 0.82, 0.12 }
}
#declare Ink = texture { pigment { rgb <0.035, 0.028, 0.03> } finish { ambient 0 diffuse 0.8 } }
#declare Printed = texture { // the print lies in the page's plane and is seen from above
  object { union { object { Poem } object { Plate } rotate x * 90 } texture { Paper } texture { Ink } }
}
// Height of the open page above the cover, s = 0 at the spine, 1 at the edge.
#declare PageY = function(s) { 1.55 * pow(sin(pi * min(1, pow(s, 0.5) * 0.62 + 0.06)), 1.0) * (1 - 0.30 * s) + 0.15 }
#macro Sheet(Sgn, Lift, Shrink)
  #local N = 40;
  mesh {
    #for (I, 0, N - 1)
      #local Sa = I / N; #local Sb = (I + 1) / N;
      #local Xa = Sgn * PageW * Sa * Shrink; #local Xb = Sgn * PageW * Sb * Shrink;
      #local Ya = PageY(Sa) + Lift * pow(Sa, 2); #local Yb = PageY(Sb) + Lift * pow(Sb, 2);
      triangle { <Xa, Ya, 0>, <Xb, Yb, 0>, <Xb, Yb, PageH> }
      triangle { <Xa, Ya, 0>, <Xb, Yb, PageH>, <Xa, Ya, PageH> }
    #end
  }
#end
#macro Block(Sgn)
  #local N = 26;
  prism { linear_sweep linear_spline 0.02, PageH - 0.02, N + 4
    <0, 0.05>
    #for (I, 0, N) , <Sgn * PageW * I / N, PageY(I / N) - 0.03> #end
    , <Sgn * PageW, 0.05>, <0, 0.05>
    rotate -x * 90 scale <1, 1, -1>
    texture {
      gradient y texture_map {
        [0.0 pigment { rgb <0.62, 0.55, 0.43> } finish { ambient 0 diffuse 0.8 }]
        [0.5 pigment { rgb <0.88, 0.83, 0.71> } finish { ambient 0 diffuse 0.8 }]
        [1.0 pigment { rgb <0.70, 0.63, 0.50> } finish { ambient 0 diffuse 0.8 }]
      }
      scale 0.09
    }
  }
#end
#declare Cover = texture {
  pigment { rgb <0.34, 0.045, 0.040> }
  normal { quilted 0.4 scale 0.07 }
  finish { ambient 0 diffuse 0.75 specular 0.12 roughness 0.08 }
}
#declare Book = union {
  object { Sheet(-1, 0, 1) texture { Printed } }
  object { Sheet(1, 0, 1) texture { Printed } }
  object { Sheet(1, 0.45, 0.985) texture { Printed } translate y * 0.04 }
  Block(-1) Block(1)
  box { <-PageW - 0.4, -0.25, -0.35>, <PageW + 0.4, 0.05, PageH + 0.35> texture { Cover } }
  // a ribbon between the pages
  union {
    box { <-0.26, 0.0, 0>, <0.26, 0.03, 2.2> rotate x * 24 translate <0.25, -0.4, -2.0> }
    pigment { rgb <0.62, 0.45, 0.10> } finish { ambient 0 diffuse 0.7 specular 0.3 }
  }
}
object { Book rotate -x * 11 rotate y * -8 translate <-8.6, 0.45, -13.2> }
// what the book leans on: a second, closed one
union {
  box { <-9.5, 0, 0>, <9.5, 0.25, 7> texture { Cover pigment { rgb <0.06, 0.16, 0.13> } } }
  box { <-9.2, 0.25, 0.3>, <9.2, 2.3, 6.8> pigment { gradient y color_map { [0 rgb <0.55, 0.48, 0.36>] [0.5 rgb <0.86, 0.80, 0.68>] [1 rgb <0.6, 0.52, 0.4>] } scale 0.11 } finish { ambient 0 diffuse 0.8 } }
  box { <-9.5, 2.3, 0>, <9.5, 2.55, 7> texture { Cover pigment { rgb <0.06, 0.16, 0.13> } } }
  rotate y * -8 translate <-9.5, 0.05, -4.2>
}

// ------------------------------------------------------------------ the card against the pot
#declare CardPrint = union {
  difference { box { <-4.1, 0.35, -20>, <4.1, 10.65, 20> } box { <-4.0, 0.45, -30>, <4.0, 10.55, 30> } }
  difference { box { <-3.85, 0.60, -20>, <3.85, 10.40, 20> } box { <-3.81, 0.64, -30>, <3.81, 10.36, 30> } }
  Words(Bold, "FERNS", 2.05, 0, 8.35, 1)
  Words(Slanted, "for shady corners", 0.86, 0, 7.3, 1)
  union { DrawnFern(4.7, 2.3, 0.03) translate <0, 2.2, 0> }
  Words(Roman, "SOW IN MARCH", 0.78, 0, 1.25, 1)
}
object {
  box { <-4.4, 0, 0>, <4.4, 11, 0.12> }
  texture { object { CardPrint
    texture { pigment { rgb <0.84, 0.81, 0.71> } finish { ambient 0 diffuse 0.82, 0.05 } }
    texture { pigment { rgb <0.035, 0.13, 0.065> } finish { ambient 0 diffuse 0.8 } } } }
  rotate x * 17 rotate y * 10 translate <11.0, 0.05, -2.3>
}

// ------------------------------------------------------------------ ruler and pencil
#declare Marks = union {
  #for (I, 0, 150)
    #local L = (mod(I, 10) = 0 ? 0.95 : (mod(I, 5) = 0 ? 0.72 : 0.5));
    box { <I / 10 - 0.017, 2.4 - L, -9>, <I / 10 + 0.017, 2.6, 9> }
  #end
  #for (I, 0, 15) Words("LiberationSans-Regular.ttf", str(I, 0, 0), 0.72, I, 0.86, 1) #end
  rotate x * 90
}
object {
  box { <-0.5, 0, 0>, <15.5, 0.28, 2.4> }
  texture { object { Marks
    texture { pigment { wood color_map { [0 rgb <0.80, 0.60, 0.33>] [1 rgb <0.66, 0.45, 0.22>] } turbulence 0.05 scale <8, 0.3, 0.3> rotate <2, 86, 3> }
      finish { ambient 0 diffuse 0.75 specular 0.25 roughness 0.03 } }
    texture { pigment { rgb 0.03 } finish { ambient 0 diffuse 0.7 } } } }
  rotate y * 5 translate <2.4, 0.05, -17.6>
}
union {
  #declare Hex = prism { linear_sweep linear_spline 0, 13, 7
    #for (I, 0, 6) <0.36 * cos(I * pi / 3), 0.36 * sin(I * pi / 3)> #if (I < 6) , #end #end }
  intersection { object { Hex } cone { y * -1, 2.43 y * 12.95, 0.06 }
    texture { gradient y texture_map {
      [0.862 pigment { rgb <0.72, 0.36, 0.03> } finish { ambient 0 diffuse 0.7 specular 0.5 roughness 0.02 }]
      [0.862 pigment { rgb <0.75, 0.56, 0.34> } finish { ambient 0 diffuse 0.8 }]
      [0.958 pigment { rgb <0.75, 0.56, 0.34> } finish { ambient 0 diffuse 0.8 }]
      [0.958 pigment { rgb 0.04 } finish { ambient 0 diffuse 0.8 specular 0.3 }] } scale 13.001 } }
  rotate z * -90 rotate y * 17 translate <4.2, 0.40, -10.2>
}

// ------------------------------------------------------------------ wire basket with lemons
#declare Wire = texture {
  pigment { rgb <0.30, 0.27, 0.22> }
  finish { ambient 0 diffuse 0.35 specular 0.9 roughness 0.02 metallic reflection { 0.12 metallic } }
}
#declare BasketR = function(h) { 5.4 + 2.6 * sin(h / 8.5 * pi / 2) }
#declare Basket = union {
  #for (I, 0, 7) torus { BasketR(I * 8.4 / 7), (I = 7 ? 0.17 : 0.075) translate y * (0.15 + I * 8.4 / 7) } #end
  #for (K, 0, 43)
    #local A = K * 2 * pi / 44;
    #for (I, 0, 13)
      #local Ha = I * 8.4 / 14; #local Hb = (I + 1) * 8.4 / 14;
      cylinder { <BasketR(Ha) * cos(A), Ha + 0.15, BasketR(Ha) * sin(A)>, <BasketR(Hb) * cos(A), Hb + 0.15, BasketR(Hb) * sin(A)>, 0.062 }
    #end
  #end
  #for (I, 0, 27) // the handle, two twisted wires
    #local A = pi * I / 28; #local B = pi * (I + 1) / 28;
    #for (S, 0, 1)
      #local Ta = I * 0.9 + S * pi; #local Tb = (I + 1) * 0.9 + S * pi;
      cylinder { <8 * cos(A), 8.4 + 7 * sin(A) + 0.14 * sin(Ta), 0.14 * cos(Ta)>, <8 * cos(B), 8.4 + 7 * sin(B) + 0.14 * sin(Tb), 0.14 * cos(Tb)>, 0.11 }
    #end
  #end
  texture { Wire }
}
#declare Lemon = lathe { cubic_spline 10
  <-0.4, -4.1>, <0, -4.0>, <0.45, -3.75>, <1.1, -3.1>, <2.35, -1.5>, <2.65, 0.1>, <2.1, 1.9>, <0.75, 3.2>, <0, 3.75>, <-0.5, 3.6>
  texture {
    pigment { bozo color_map { [0 rgb <0.86, 0.55, 0.02>] [1 rgb <0.90, 0.66, 0.05>] } scale 2 }
    normal { bumps 0.22 scale 0.16 }
    finish { ambient 0 diffuse 0.72, 0.1 specular 0.35 roughness 0.04 }
  } }
#declare Apricot = sphere { 0, 2.5
  texture {
    pigment { bozo color_map { [0 rgb <0.80, 0.25, 0.035>] [0.5 rgb <0.82, 0.36, 0.05>] [1 rgb <0.70, 0.11, 0.04>] } scale 3.5 }
    normal { bumps 0.03 scale 0.1 }
    finish { ambient 0 diffuse 0.78 specular 0.12 roughness 0.12 }
  } }
#declare BasketAt = <-17.5, -0.1, 12.5>;
union {
  object { Basket rotate y * 28 }
  object { Lemon rotate z * 74 rotate y * 20 translate <-2.6, 3.2, -2.4> }
  object { Lemon rotate z * -66 rotate y * 80 translate <2.7, 3.2, -1.7> }
  object { Apricot translate <0.2, 3.0, 2.9> }
  object { Apricot translate <-4.2, 5.0, 1.6> }
  object { Apricot translate <4.0, 6.2, 2.1> }
  object { Lemon rotate z * 80 rotate y * -35 translate <0.4, 6.9, -1.1> }
  object { Apricot translate <-3.0, 7.3, -2.2> }
  object { Apricot translate <3.6, 7.2, -3.0> }
  object { Lemon rotate z * 62 rotate y * 130 translate <-1.2, 8.6, 1.9> }
  object { Apricot translate <0.5, 3.3, -4.9> scale 0.93 }
  translate BasketAt
}
object { Apricot scale 0.95 rotate y * 70 translate <-23.4, 2.2, 0.8> }

// ------------------------------------------------------------------ the hazel branch, top left
union {
  Twig(<-33, 31, 4>, <1, -0.24, -0.18>, 25, 0.012, 0.42, 6.2, 1.9)
  Twig(<-31, 33, 10>, <1, -0.10, -0.1>, 31, 0.016, 0.40, 6.0, 2.1)
  Twig(<-24, 29.2, 3>, <0.55, -0.40, -0.55>, 13, 0.03, 0.26, 5.2, 1.6)
}
// leaves above the picture, for their shade
#declare Shade = array[9] { <-25, 0, -6>, <-19, 0, -20>, <-3, 0, 7>, <4, 0, -21>, <19, 0, -10>, <25, 0, 2>, <3, 0, 20>, <-30, 0, 16>, <-14.5, 0, -12> }
union {
  #for (I, 0, 8)
    #for (K, 1, (I = 8 ? 4 : 15))
      #local H = Between(44, 58);
      object { HazelFar texture { HazelSkin[1] }
        Along(Shade[I] + <Between(-6.5, 6.5) - 75 / 105 * H, H, Between(-5, 5) + 62 / 105 * H>,
          <Between(-1, 1), Between(-.7, .2), Between(-1, 1)>, <Between(-.8, .2), 1, Between(-.2, .8)>, Between(4, 6)) }
    #end
  #end
}
// two cherries, and one apart
#macro Cherry(Pos, Tip)
  #local Top = Pos + y * 0.82; #local Mid = (Top + Tip) / 2 + y * 0.9;
  union {
    lathe { cubic_spline 8 <-0.3, -1.05>, <0, -0.98>, <0.6, -0.82>, <1.06, 0>, <0.72, 0.80>, <0.28, 0.92>, <0, 0.78>, <-0.3, 0.9> translate Pos }
    texture {
      pigment { bozo color_map { [0 rgb <0.26, 0.008, 0.012>] [1 rgb <0.46, 0.02, 0.02>] } scale 1.2 }
      finish { ambient 0 diffuse 0.7 specular 0.8 roughness 0.008 reflection { 0.02, 0.25 fresnel } }
    }
    interior { ior 1.4 }
  }
  #for (I, 0, 15)
    #local A = I / 16; #local B = (I + 1) / 16;
    cone {
      Top * pow(1 - A, 2) + Mid * 2 * A * (1 - A) + Tip * A * A, 0.055 + 0.05 * pow(A, 6)
      Top * pow(1 - B, 2) + Mid * 2 * B * (1 - B) + Tip * B * B, 0.055 + 0.05 * pow(B, 6)
      pigment { rgb <0.26, 0.34, 0.07> } finish { ambient 0 diffuse 0.7 specular 0.2 }
    }
  #end
#end
Cherry(<-12.8, 0.92, -18.4>, <-9.0, 2.9, -15.6>)
Cherry(<-10.2, 0.92, -19.0>, <-9.0, 2.9, -15.6>)
Cherry(<-16.2, 0.92, -17.7>, <-18.6, 0.9, -16.6>)
// two fallen leaves
object { HazelA texture { HazelSkin[3] } Along(<-1.6, 0.75, -18.6>, <-0.9, 0.02, 0.42>, y + x * 0.1, 5.0) }
object { HazelB texture { HazelSkin[1] } Along(<21.5, 1.1, -5.4>, <-0.2, 0.05, -1>, y - x * 0.25, 4.6) }

// ------------------------------------------------------------------ trellis and hedge behind
#declare Slat = box { <-0.75, -70, -0.25>, <0.75, 70, 0.25> }
#declare Paint = texture {
  pigment { bozo color_map { [0 rgb <0.62, 0.62, 0.55>] [1 rgb <0.78, 0.77, 0.70>] } scale 6 }
  finish { ambient 0 diffuse 0.75 specular 0.1 }
}
union {
  #for (I, -14, 14)
    object { Slat rotate z * 45 translate <I * 11, 0, 44.6> }
    object { Slat rotate -z * 45 translate <I * 11, 0, 44> }
  #end
  texture { Paint }
}
union {
  #for (I, 0, 4200)
    #local Px = Between(-62, 62); #local Py = Between(-34, 32); #local Pz = 49 + 22 * pow(rand(Rnd), 1.5);
    object { HazelFar texture { HazelSkin[floor(rand(Rnd) * 3.99)] }
      Along(<Px, Py, Pz>, <Between(-1, 1), Between(-1.2, 0.3), Between(-1, 0.2)>, <Between(-.6, .6), 1, Between(-1.2, 0)>, Between(4, 7)) }
  #end
  // tendrils that reach through the trellis
  #for (I, 0, 150)
    #local Px = Between(-50, 50); #local Py = -6 + 26 * rand(Rnd);
    object { HazelA texture { HazelSkin[floor(rand(Rnd) * 3.99)] }
      Along(<Px, Py, Between(42, 44)>, <Between(-1, 1), Between(-1.2, -0.1), Between(-.7, 0)>, <Between(-.5, .5), 1, -0.8>, Between(3.5, 5.5)) }
  #end
}
plane { -z, -75 no_shadow pigment { bozo color_map { [0 rgb <0.015, 0.03, 0.01>] [0.7 rgb <0.06, 0.11, 0.02>] [1 rgb <0.35, 0.45, 0.10>] } scale 7 } finish { ambient 0 diffuse 0.6 emission 0.4 } }
plane { y, -40 pigment { rgb <0.10, 0.13, 0.05> } finish { ambient 0 diffuse 0.6 } }
