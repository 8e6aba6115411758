using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public long Dimensions => Native.pt_dim(Handle);
        public long ndim => Native.pt_dim(Handle);
        public long dim() => Native.pt_dim(Handle);

        public long NumberOfElements => Native.pt_numel(Handle);
        public long numel() => Native.pt_numel(Handle);

        public long ElementSize => Native.pt_itemsize(Handle);
        public long element_size() => Native.pt_itemsize(Handle);

        public ScalarType dtype => (ScalarType)Native.pt_dtype(Handle);

        /// <summary>The sizes, in a new array at each read.</summary>
        public unsafe long[] shape
        {
            get
            {
                var sizes = new long[Native.pt_dim(Handle)];
                fixed (long* target = sizes) Native.pt_sizes(Handle, target);
                return sizes;
            }
        }

        public long[] size() => shape;
        public long size(int dim) => shape[DimensionAt(dim)];

        public unsafe long[] stride()
        {
            var strides = new long[Native.pt_dim(Handle)];
            fixed (long* target = strides) Native.pt_strides(Handle, target);
            return strides;
        }

        public long stride(int dim) => stride()[DimensionAt(dim)];

        public long storage_offset() => Native.pt_storage_offset(Handle);

        public DeviceType device_type => (DeviceType)Native.pt_device_type(Handle);
        public int device_index => Native.pt_device_index(Handle);
        public Device device => device_type == DeviceType.CPU ? CPU : new Device(device_type, device_index);
        public bool is_cuda => device_type == DeviceType.CUDA;
        public bool is_meta => device_type == DeviceType.META;
        public bool is_cpu() => device_type == DeviceType.CPU;

        public bool is_contiguous() => Native.pt_is_contiguous(Handle) != 0;
        public bool is_floating_point() => torch.is_floating_point(dtype);
        public bool is_integral() => torch.is_integral(dtype);

        private long DimensionAt(int dim)
        {
            long count = Dimensions;
            return dim >= -count && dim < count
                ? dim < 0 ? dim + count : dim
                : throw new ArgumentOutOfRangeException(nameof(dim), dim, $"expected a dimension of a tensor with {count}");
        }
    }

    public static long numel(Tensor input) => input.numel();
    public static bool is_floating_point(Tensor input) => input.is_floating_point();
    public static bool is_integral(Tensor t) => t.is_integral();
}
