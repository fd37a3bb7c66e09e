/** A Float64 column that doubles when it is full. */
export class GrowingColumn {
  values: Float64Array<ArrayBuffer>

  constructor(capacity: number) {
    this.values = new Float64Array(capacity)
  }

  grow(capacity: number): void {
    const larger = new Float64Array(capacity)
    larger.set(this.values)
    this.values = larger
  }

  cut(length: number): Float64Array {
    return this.values.subarray(0, length)
  }
}
