using System.Collections;
using System.Globalization;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>Modules in a row, registered under their numbers.</summary>
    public class ModuleList<T> : nn.Module, IList<T> where T : nn.Module
    {
        private readonly List<T> items;

        public ModuleList(params T[] modules) : base("ModuleList")
        {
            items = [.. modules];
            Renumber();
        }

        public T this[int index]
        {
            get => items[index];
            set
            {
                items[index] = value;
                Renumber();
            }
        }

        public int Count => items.Count;
        public bool IsReadOnly => false;

        public void Add(T item) => Insert(items.Count, item);

        public void append(params T[] parameters) => extend(parameters);

        public void extend(IEnumerable<T> modules)
        {
            items.AddRange(modules);
            Renumber();
        }

        public void Insert(int index, T item)
        {
            items.Insert(index, item);
            Renumber();
        }

        public void RemoveAt(int index)
        {
            items.RemoveAt(index);
            Renumber();
        }

        public bool Remove(T item)
        {
            bool removed = items.Remove(item);
            Renumber();
            return removed;
        }

        public void Clear()
        {
            items.Clear();
            Renumber();
        }

        public bool Contains(T item) => items.Contains(item);
        public int IndexOf(T item) => items.IndexOf(item);
        public void CopyTo(T[] array, int arrayIndex) => items.CopyTo(array, arrayIndex);
        public IEnumerator<T> GetEnumerator() => items.GetEnumerator();
        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        protected override void RegisterComponents() => Renumber();

        private void Renumber()
        {
            ClearModules();
            for (int i = 0; i < items.Count; i++) register_module(i.ToString(CultureInfo.InvariantCulture), items[i]);
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.ModuleList<T> ModuleList<T>(params T[] modules) where T : Module => new(modules);
            public static Modules.ModuleList<Module> ModuleList(params Module[] modules) => new(modules);
        }
    }
}
