// Written from the descriptions of the records; do not edit.

export type suite_color = "red" | "green" | "dark_blue";

export interface suite_point {
  x: number;
  y: number;
}

export interface suite_tree {
  value: number;
  children: Array<suite_tree>;
}

export interface suite_rest {
  known: number;
  late: string;
}

export type suite_shape =
  | { point: suite_point }
  | { radius: number }
  | { note: string }
  | { color: suite_color }
  | { weight: number }
  | { owner: string }
  | { rest: suite_rest }
  | { [name: string]: never };

export interface suite_nest {
  name: string;
  points: Array<suite_point>;
  shape?: suite_shape;
  tail: suite_rest;
}

export interface suite_wide {
  a_u8: number;
  a_u16: number;
  a_u32: number;
  a_u64: number | string;
  a_i8: number;
  a_i16: number;
  a_i32: number;
  a_i64: number | string;
  a_bool: boolean;
  a_f64: number;
  a_str: string;
  a_bytes: string;
  a_id: string;
  a_color: suite_color;
  a_nest: suite_nest;
  a_shape?: suite_shape;
  maybe_u8?: number;
  maybe_u16?: number;
  maybe_u32?: number;
  maybe_u64?: number | string;
  maybe_i8?: number;
  maybe_i16?: number;
  maybe_i32?: number;
  maybe_i64?: number | string;
  maybe_bool?: boolean;
  maybe_f64?: number;
  maybe_str?: string;
  maybe_bytes?: string;
  maybe_id?: string;
  maybe_color?: suite_color;
  maybe_nest?: suite_nest;
  maybe_shape?: suite_shape;
  many_u8: Array<number>;
  many_u16: Array<number>;
  many_u32: Array<number>;
  many_u64: Array<number | string>;
  many_i8: Array<number>;
  many_i16: Array<number>;
  many_i32: Array<number>;
  many_i64: Array<number | string>;
  many_bool: Array<boolean>;
  many_f64: Array<number>;
  many_str: Array<string>;
  many_bytes: Array<string>;
  many_id: Array<string>;
  many_color: Array<suite_color>;
  many_nest: Array<suite_nest>;
  many_shape: Array<suite_shape>;
  tree: suite_tree;
}
