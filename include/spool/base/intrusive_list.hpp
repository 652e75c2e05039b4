// A doubly linked list through hooks inside the elements: no allocation, O(1) removal from the middle.
#pragma once

namespace spool::detail {

/// Base of an element. An element is in at most one list, and must leave it before it dies.
class list_hook {
 public:
  list_hook() noexcept = default;
  list_hook(const list_hook&) = delete;
  list_hook& operator=(const list_hook&) = delete;
  bool linked() const noexcept { return next_ != nullptr; }

 private:
  template <class T>
  friend class intrusive_list;
  list_hook* next_ = nullptr;
  list_hook* prev_ = nullptr;
};

/// FIFO list of T, where T derives from list_hook. Not synchronized: its owner's lock guards it.
template <class T>
class intrusive_list {
 public:
  intrusive_list() noexcept { root_.next_ = root_.prev_ = &root_; }
  intrusive_list(const intrusive_list&) = delete;
  intrusive_list& operator=(const intrusive_list&) = delete;

  bool empty() const noexcept { return root_.next_ == &root_; }
  T* front() noexcept { return empty() ? nullptr : static_cast<T*>(root_.next_); }
  void push_back(T& element) noexcept { insert(root_.prev_, element); }
  void push_front(T& element) noexcept { insert(&root_, element); }

  T* pop_front() noexcept {
    T* first = front();
    if (first != nullptr) erase(*first);
    return first;
  }

  static void erase(T& element) noexcept {
    list_hook& hook = element;
    hook.prev_->next_ = hook.next_;
    hook.next_->prev_ = hook.prev_;
    hook.next_ = hook.prev_ = nullptr;
  }

  /// The element after `element`, or null at the end.
  T* next(T& element) noexcept {
    list_hook* hook = static_cast<list_hook&>(element).next_;
    return hook == &root_ ? nullptr : static_cast<T*>(hook);
  }

  /// Appends all of `other`, which becomes empty.
  void splice_back(intrusive_list& other) noexcept {
    if (other.empty()) return;
    root_.prev_->next_ = other.root_.next_;
    other.root_.next_->prev_ = root_.prev_;
    root_.prev_ = other.root_.prev_;
    root_.prev_->next_ = &root_;
    other.root_.next_ = other.root_.prev_ = &other.root_;
  }

 private:
  static void insert(list_hook* after, T& element) noexcept {
    list_hook& hook = element;
    hook.prev_ = after;
    hook.next_ = after->next_;
    after->next_->prev_ = &hook;
    after->next_ = &hook;
  }

  list_hook root_;
};

}  // namespace spool::detail
