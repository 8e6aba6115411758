namespace TorchSharp;

/// <summary>Kinds of device, numbered as in libtorch.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
    MKLDNN = 2,
    OPENGL = 3,
    OPENCL = 4,
    IDEEP = 5,
    HIP = 6,
    FPGA = 7,
    MSNPU = 8,
    MPS = 13,
    META = 14,
}

public static partial class torch
{
    public static readonly Device CPU = new(DeviceType.CPU);
    public static readonly Device META = new(DeviceType.META);

    public static Device CUDA { get; } = new(DeviceType.CUDA);

    public static Device device(string description) => new(description);
    public static Device device(string deviceType, int index = -1) => new(deviceType, index);
    public static Device device(DeviceType deviceType, int index = -1) => new(deviceType, index);
    public static Device device(int index) => new(index);

    /// <summary>Where a tensor lives: a kind of device and, where there are several, which one.</summary>
    public class Device
    {
        public DeviceType type { get; }

        /// <summary>Number of the device, -1 on the CPU.</summary>
        public int index { get; }

        internal long NativeIndex => type == DeviceType.CPU || type == DeviceType.META ? -1 : Math.Max(index, 0);

        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = deviceType == DeviceType.CUDA && index < 0 ? 0 : index;
        }

        public Device(string deviceType, int index = -1) : this(Parse(deviceType), index) { }

        public Device(string description) : this(Parse(description.Split(':')[0]), IndexIn(description)) { }

        public Device(int index) : this(DeviceType.CUDA, index) { }

        public static implicit operator Device(string description) => new(description);

        public override string ToString() => index >= 0 ? $"{Name}:{index}" : Name;

        private string Name => type.ToString().ToLowerInvariant();

        private static DeviceType Parse(string name) => Enum.TryParse<DeviceType>(name, ignoreCase: true, out var type)
            ? type
            : throw new ArgumentException($"device: given \"{name}\", expected a name such as cpu, cuda or meta, with an index if any (cuda:0)");

        private static int IndexIn(string description)
        {
            int colon = description.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0) return -1;
            return int.TryParse(description.AsSpan(colon + 1), out int index) && index >= 0
                ? index
                : throw new ArgumentException($"device: given \"{description}\", expected a whole number after the colon");
        }
    }
}
