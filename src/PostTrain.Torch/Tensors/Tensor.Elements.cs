using System.Runtime.CompilerServices;
using PostTrain.Torch.Interop;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>The only element, whose type must be <typeparamref name="T"/>.</summary>
        /// <exception cref="InvalidOperationException">There is not exactly one element, or it has another type.</exception>
        public unsafe T item<T>() where T : unmanaged
        {
            long count = NumberOfElements;
            if (count != 1) throw new InvalidOperationException($"item<{typeof(T).Name}>: given a tensor of {count} elements, expected one");
            RequireType<T>();
            if (device_type == DeviceType.CPU && DataPointer() is var pointer and not 0) return *(T*)pointer;
            using var local = to(CPU, copy: true);
            return *(T*)local.DataPointer();
        }

        /// <summary>The elements in the memory of the CPU, to be read and written in place; their type must be <typeparamref name="T"/>.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged
        {
            RequireType<T>();
            RequireCpu();
            return new TensorAccessor<T>(DataPointer() == 0 && NumberOfElements > 0 ? to(CPU, copy: true) : this);
        }

        /// <summary>The memory of a contiguous tensor on the CPU.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                RequireCpu();
                if (!is_contiguous()) throw new InvalidOperationException("bytes: given a tensor that is not contiguous, expected a contiguous one");
                if (DataPointer() == 0 && NumberOfElements > 0) throw new InvalidOperationException("bytes: given a tensor without memory, expected one with; clone() gives it memory");
                return new Span<byte>((void*)DataPointer(), checked((int)(NumberOfElements * ElementSize)));
            }
            set
            {
                var target = bytes;
                if (value.Length != target.Length) throw new ArgumentException($"bytes: given {value.Length} bytes, expected {target.Length}");
                value.CopyTo(target);
            }
        }

        /// <summary>Writes the elements' memory, in row-major order.</summary>
        public void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            using var packed = contiguous();
            stream.Write(packed.bytes);
        }

        /// <summary>Overwrites the elements from a stream that holds them in row-major order.</summary>
        public void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            if (is_contiguous())
            {
                stream.ReadExactly(bytes);
                return;
            }
            using var packed = contiguous();
            stream.ReadExactly(packed.bytes);
            using var mode = no_grad();
            copy_(packed);
        }

        /// <summary>The only element as a number that operators take.</summary>
        public Scalar ToScalar()
        {
            var value = Number();
            return value.Tag switch
            {
                Tag.Double => value.Number,
                Tag.Bool => value.Integer != 0,
                _ => value.Integer,
            };
        }

        public bool ReadCpuBool(long i) => ReadCpuValue<bool>(i);
        public byte ReadCpuByte(long i) => ReadCpuValue<byte>(i);
        public sbyte ReadCpuSByte(long i) => ReadCpuValue<sbyte>(i);
        public short ReadCpuInt16(long i) => ReadCpuValue<short>(i);
        public int ReadCpuInt32(long i) => ReadCpuValue<int>(i);
        public long ReadCpuInt64(long i) => ReadCpuValue<long>(i);
        public float ReadCpuSingle(long i) => ReadCpuValue<float>(i);
        public double ReadCpuDouble(long i) => ReadCpuValue<double>(i);

        /// <summary>Element number <paramref name="i"/> in row-major order.</summary>
        public T ReadCpuValue<T>(long i) where T : unmanaged
        {
            if (i < 0 || i >= NumberOfElements) throw new ArgumentOutOfRangeException(nameof(i), i, $"expected 0 to {NumberOfElements - 1}");
            using var elements = data<T>();
            return elements.At(i);
        }

        // 0 for a tensor without elements and for one without memory, which libtorch makes of a gradient that is known to be zero.
        internal nint DataPointer() => Native.pt_data(Handle);

        // The only element, as libtorch turns it into a number.
        internal NativeValue Number()
        {
            long count = NumberOfElements;
            if (count != 1) throw new ArgumentException($"value: given a tensor of {count} elements, expected one");
            return Ops._local_scalar_dense.CallValue(this);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void RequireType<T>() where T : unmanaged
        {
            if (ElementTypes.Of<T>() != dtype) throw new InvalidOperationException($"T: given {typeof(T).Name} ({ElementTypes.Of<T>()}), expected the type of the tensor's elements, {dtype}");
        }

        private void RequireCpu()
        {
            if (device_type != DeviceType.CPU) throw new InvalidOperationException($"Reading elements: given a tensor on {device}, expected one on cpu; move it with cpu() first.");
        }
    }

    public static bool is_tensor(object obj) => obj is Tensor;
}
